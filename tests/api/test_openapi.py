"""The description of the API: not drifted, and complete for every operation."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from sqlalchemy import select

from app.db.ids import new_id
from app.db.notices import announce_closed
from app.db.tables import Connection, Issue, Notice, Quote
from app.house import House
from app.main import described
from app.sync import notices
from app.sync.problems import Problem
from tests.api.conftest import Link, event

FILE = Path(__file__).parents[2] / "openapi.yaml"
TEXT = described()
API: dict[str, Any] = yaml.safe_load(TEXT)
OPERATIONS = [
    pytest.param(path, method, operation, id=operation["operationId"])
    for path, methods in API["paths"].items()
    for method, operation in methods.items()
]


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = API
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def has_example(body: dict[str, Any]) -> bool:
    if "example" in body or "examples" in body:
        return True
    schema = resolve(body.get("schema", {}))
    if "example" in schema or "examples" in schema:
        return True
    if "items" in schema.get("properties", {}):
        schema = resolve(schema["properties"]["items"])
    parts = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    return any({"example", "examples"} & resolve(part).keys() for part in parts)


def test_openapi_yaml_is_what_the_code_says() -> None:
    assert FILE.read_text(encoding="utf-8") == TEXT, "run `make openapi` and look at what changed"


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for methods in API["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_an_operation_says_what_it_is(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    (tag,) = operation["tags"]
    assert tag in {each["name"] for each in API["tags"]}


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_body_of_an_operation_has_an_example(path: str, method: str, operation: dict[str, Any]) -> None:
    bodies = [*operation.get("requestBody", {}).get("content", {}).values()]
    for response in operation["responses"].values():
        bodies += response.get("content", {}).values()
    for body in bodies:
        assert has_example(body), body


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_an_operation_declares_its_problems(path: str, method: str, operation: dict[str, Any]) -> None:
    errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
    assert all("application/problem+json" in answer["content"] for answer in errors.values())
    if path.startswith("/v1"):
        assert operation["security"]
        assert errors.keys() >= {"401", "422", "503"}
    if "{" in path:
        assert "404" in errors


def test_webhooks_describe_events_in_and_notices_out() -> None:
    notices = {"sync.succeeded", "sync.warning", "sync.issue_opened", "sync.issue_closed"}
    assert API["webhooks"].keys() == {"quote.event", *notices}
    for each in API["webhooks"].values():
        body = each["post"]["requestBody"]["content"]["application/json"]
        schema = {**resolve(body["schema"]), "components": API["components"]}
        jsonschema_rs.validator_for(schema).validate(body["example"])


async def test_a_notice_is_what_the_description_says(link: Link, house: House) -> None:
    async with house.database.transaction() as session:
        connection = await session.get_one(Connection, link.connection_id)
        connection.notice_url, connection.notice_secret = "https://notices.example", b"sealed"
    await link.send(event())
    problem = Problem(code="a-code", title="A title", detail="A sentence.", remedy="What to do.")
    async with house.database.transaction() as session:
        quote = await session.get_one(Quote, (link.connection_id, "q-1"))
        told: dict[str, Any] = {"connection_id": link.connection_id, "quote_id": "q-1"}
        issue = Issue(id=new_id("iss"), code="a-code", title="t", detail="d", remedy="r", **told)
        await notices.synced(session, quote, warnings=[])
        await announce_closed(session, issue)
        await notices.synced(session, quote, warnings=[{"code": "c", "detail": "d", "line_id": "l-1"}])
        await notices.issue_opened(session, link.connection_id, None, new_id("iss"), problem)
    async with house.database.transaction() as session:
        rows = (await session.scalars(select(Notice))).all()
    described = {name for name in API["webhooks"] if name.startswith("sync.")}
    assert {row.type for row in rows} == described
    for row in rows:
        schema = API["webhooks"][row.type]["post"]["requestBody"]["content"]["application/json"]["schema"]
        data = {**schema["properties"]["data"], "additionalProperties": False}
        jsonschema_rs.validator_for(data).validate(row.payload)
