"""The dry run: what a sync would do, and no write."""

from typing import Any

from tests.fixtures.engine import Engine, event, in_extended, in_published

Json = dict[str, Any]


async def preview(engine: Engine, posted: Json) -> Json:
    engine.bms.forget_calls()
    planned: Json = await engine.call("POST", f"{engine.path}/preview", json=posted)
    assert engine.writes() == []
    return planned


def steps(planned: Json) -> list[tuple[str, str]]:
    return [(step["action"], step["resource"]) for step in planned["steps"]]


@in_extended
async def test_a_new_quotes_preview_creates_everything_and_stores_nothing(engine: Engine) -> None:
    person = {"first_name": "New", "last_name": "Person", "email": "n@new.example"}
    planned = await preview(engine, event(account={"name": "New Customer"}, contact=person))
    assert steps(planned) == [
        ("create", "account"),
        ("create", "contact"),
        ("create", "opportunity"),
        ("create", "quotation"),
        ("create", "quotation_line"),
    ]
    assert all(step["kaseya_id"] is None for step in planned["steps"])
    amount = {"field": "amount", "before": None, "after": "350.00"}
    assert amount in planned["steps"][2]["changes"]
    assert (await engine.call("GET", f"{engine.path}/quotes"))["items"] == []


@in_extended
async def test_an_updates_preview_tells_before_and_after(engine: Engine) -> None:
    quote = await engine.synced(event())
    planned = await preview(engine, event("updated", totals={"one_time": "999.00"}))
    (step,) = planned["steps"]
    assert (step["action"], step["resource"]) == ("update", "opportunity")
    assert step["kaseya_id"] == quote["kaseya"]["opportunity_id"]
    assert step["changes"] == [{"field": "amount", "before": "350.0", "after": "999.00"}]
    assert [each["code"] for each in planned["warnings"]] == ["total_differs"]
    assert engine.opportunity()["amount"] == 350.0


@in_extended
async def test_the_preview_of_what_bms_shows_is_empty(engine: Engine) -> None:
    await engine.synced(event())
    engine.bms.forget_calls()
    planned = await engine.call("POST", f"{engine.path}/quotes/q-1/preview")
    assert planned == {"steps": [], "warnings": []}
    assert engine.bms.calls() == []


@in_extended
async def test_the_preview_of_another_opportunity_leaves_the_link_alone(engine: Engine) -> None:
    before = (await engine.synced(event()))["kaseya"]
    planned = await preview(engine, event("updated", opportunity={"kaseya_opportunity_id": 1301}))
    assert steps(planned) == [("update", "opportunity"), ("create", "quotation"), ("create", "quotation_line")]
    assert planned["steps"][0]["kaseya_id"] == "1301"
    assert (await engine.quote())["kaseya"] == before


@in_extended
async def test_what_would_stop_the_quote_is_told(engine: Engine) -> None:
    planned = await preview(engine, event(account={"kaseya_account_id": 1003}))
    assert planned["steps"] == []
    assert [each["code"] for each in planned["warnings"]] == ["account-not-usable"]
    assert await engine.issues() == []


@in_published
async def test_what_the_tenant_cannot_do_is_told(engine: Engine) -> None:
    planned = await preview(engine, event())
    assert steps(planned) == [("create", "opportunity")]
    assert [each["code"] for each in planned["warnings"]] == ["quotation_waiting_for_header"]
