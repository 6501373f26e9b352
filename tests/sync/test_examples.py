"""The example events that frontends are given, and Quoter's own payload: each comes to what it says."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.fixtures.engine import Engine, codes, in_extended

SHARED = Path(__file__).resolve().parents[3] / "shared"
HASH_KEY = "the hash key of this account"


def text_of(*path: str) -> str:
    file = SHARED.joinpath(*path)
    if not file.is_file():
        pytest.skip(f"the examples are published beside the repository, and {file.name} is not there")
    return file.read_text()


def example(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(text_of("events", f"{name}.json"))
    return read


async def synced(engine: Engine, contract: str, quote_id: str) -> dict[str, Any]:
    """The quote when BMS shows it, with its quotation made by a user where the API cannot make one."""
    quote = await engine.settled(quote_id)
    if contract == "published" and quote["kaseya"]["quotation_id"] is None:
        engine.bms.create("quotations", opportunityId=engine.opportunity()["id"])
        quote = await engine.again(quote_id)
    assert quote["state"] == "synced", quote["last_error"]
    return quote


async def play(engine: Engine, contract: str, name: str) -> dict[str, Any]:
    event = example(name)
    await engine.accepted(event)
    return await synced(engine, contract, event["data"]["quote_id"])


async def test_the_created_example_becomes_an_opportunity_with_pdf_and_quotation(engine: Engine, contract: str) -> None:
    quote = await play(engine, contract, "quote-created")
    made = engine.opportunity()
    assert made["subject"] == "1042 Firewall refresh"
    assert (made["amount"], made["statusId"], made["probability"]) == (2815.0, 102, 50.0)
    assert (made["salesRepresentativeUserId"], made["closeDate"][:10]) == (11, "2099-12-22")
    assert (made["accountName"], made["contactFirstName"]) == ("Example Widgets Ltd", "Alex")
    lines = {name: (row["quantity"], row["unitPrice"]) for name, row in engine.lines().items()}
    assert lines == {
        "Firewall 60F": (1.0, 1080.0),
        "Senior engineer hour": (8.0, 175.0),
        "Managed firewall": (3.0, 150.0),
    }
    (file,) = engine.held("attachments")
    assert file["originalFileName"].startswith("Quote-1042-")
    everywhere = {
        "tax_not_sent",
        "quote_discount_not_sent",
        "shipping_not_sent",
        "optional_line_skipped",
        "service_line_unpriced",
        "total_differs",
    }
    assert set(codes(quote)) == everywhere | ({"product_not_created"} if contract == "published" else set())
    assert await engine.issues() == []


async def test_the_updated_example_changes_what_is_there(engine: Engine, contract: str) -> None:
    await play(engine, contract, "quote-created")
    quote = await play(engine, contract, "quote-updated")
    assert engine.opportunity()["amount"] == 4065.0
    assert engine.lines()["Senior engineer hour"]["quantity"] == 10.0
    assert engine.lines()["Cold spare unit"]["unitPrice"] == 900.0
    assert "optional_line_skipped" not in codes(quote)
    assert [len(engine.held(each)) for each in ("accounts", "contacts", "quotations", "attachments")] == [1, 1, 1, 1]


@pytest.mark.parametrize(("name", "status_id", "probability"), [("quote-won", 103, 100.0), ("quote-lost", 104, 0.0)])
async def test_the_decided_examples_move_the_status(
    engine: Engine, contract: str, name: str, status_id: int, probability: float
) -> None:
    await play(engine, contract, "quote-created")
    await play(engine, contract, name)
    made = engine.opportunity()
    assert (made["statusId"], made["probability"], made["amount"]) == (status_id, probability, 4065.0)


async def test_the_expired_example_is_refused_and_listed_as_rejected(engine: Engine) -> None:
    answer = await engine.send(example("quote-created-expired"))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/quote-expired")
    assert await engine.dispositions() == ["rejected"]
    assert (await engine.quote("q-7000002"))["state"] == "rejected"
    assert engine.writes() == []


@in_extended
async def test_the_examples_in_any_order_come_to_the_same(engine: Engine, contract: str) -> None:
    for name in ("quote-won", "quote-updated", "quote-created"):
        await engine.accepted(example(name))
    await synced(engine, contract, "q-7000001")
    assert (engine.opportunity()["statusId"], engine.opportunity()["amount"]) == (103, 4065.0)
    assert await engine.dispositions() == ["applied", "superseded", "superseded"]


async def test_quoters_payload_gives_what_the_same_quote_gives_as_json(engine: Engine, contract: str) -> None:
    payload = json.loads(text_of("quoter", "quote-webhook-data.example.json"))
    payload |= {"name": "Firewall refresh / 100% done", "expiry_date": "2099-12-22 08:00:00"}
    await deliver_as_quoter(engine, json.dumps(payload).replace("/", "\\/"))
    await synced(engine, contract, "7000001")
    by_quoter = shown(engine)

    engine.bms.reset()
    engine.bms.settings(contract=contract)
    await engine.connect()
    await engine.configure()
    await engine.accepted(as_event(payload))
    await synced(engine, contract, "7000001")
    assert shown(engine) == by_quoter
    assert (by_quoter["opportunities"][0]["amount"], len(by_quoter["lines"])) == (2575.0, 2)


async def deliver_as_quoter(engine: Engine, data: str) -> None:
    """Send Quoter's form: hashed as it is, then encoded once."""
    await engine.call("PATCH", engine.path, json={"quoter_hash_key": HASH_KEY})
    stamp = str(int(time.time()))
    digest = hashlib.md5(f"{HASH_KEY}{stamp}{data}".encode(), usedforsecurity=False).hexdigest()
    body = urlencode({"hash": digest, "timestamp": stamp, "data": data})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await engine.api.post(f"/webhooks/{engine.connection_id}/quoter", content=body, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (200, "accepted"), answer.text


def as_event(payload: dict[str, Any]) -> dict[str, Any]:
    """The same quote, as a frontend of its own would put it."""
    person = payload["person"]
    address, phones = person["addresses"]["billing"], person["telephone_numbers"]
    quote = {
        "quote_id": payload["id"],
        "number": payload["number"],
        "name": payload["name"],
        "status": payload["status"],
        "currency": "USD",
        "expires_on": "2099-12-22",
        "owner": {"email": payload["quote_owner"]["email"]},
        "account": {
            "name": person["organization"],
            "phone": phones["work"],
            "address": {
                "line1": address["line1"],
                "city": address["city"],
                "state": address["state"]["code"],
                "postal_code": address["postal_code"],
                "country": address["country"]["name"],
            },
        },
        "contact": {
            "first_name": person["first_name"],
            "last_name": person["last_name"],
            "email": person["email_address"],
            "phone": phones["mobile"],
        },
        "totals": {"one_time": "2575.00", "margin": "1545.00"},
        "lines": [
            {
                "line_id": entry["id"],
                "item_code": entry["sku"],
                "sku": entry["sku"],
                "name": entry["name"],
                "description": entry["description"],
                "category": entry["type"]["name"],
                "quantity": entry["quantity"],
                "unit_price": entry["unit_price"].replace(",", ""),
                "unit_cost": entry["unit_cost"].replace(",", ""),
            }
            for entry in payload["line_items"]
        ],
    }
    return {"type": "quote.created", "timestamp": "2026-11-22T17:00:00Z", "data": quote}


OF_THE_MOMENT = {"createdOn", "modifiedOn", "description"}


def shown(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """What BMS holds, without times and without the marker, which names the connection."""
    collections = ("accounts", "contacts", "opportunities", "quotations", "lines", "products", "services")
    return {name: [_without_moment(row) for row in engine.held(name)] for name in collections}


def _without_moment(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_moment(each) for name, each in value.items() if name not in OF_THE_MOMENT}
    return [_without_moment(each) for each in value] if isinstance(value, list) else value
