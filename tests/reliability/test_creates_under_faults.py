"""Every create goes wrong once, in every way that there is: BMS ends with one of each all the same."""

import pytest
from sqlalchemy import func, update

from app.db.tables import Intent
from app.sync.sweeps import Sweeper
from tests.fixtures.engine import Engine, in_extended
from tests.reliability.conftest import add_header, carry_through, made, whole

TEMPLATES = {
    "account": "/v2/crm/accounts",
    "contact": "/v2/crm/contacts/summary",
    "service": "/v2/admin/finance/services/services",
    "product": "/v2/inventory/products",
    "opportunity": "/v2/crm/opportunities",
    "quotation": "/v2/crm/quotes",
    "line": "/v2/crm/quotes/{quotationId}/lineItems/{itemTypeId}/{distributerTypeId}",
    "attachment": "/v2/system/attachments/{moduleId}/{objectId}",
    "note": "/v2/crm/opportunities/{id}/notes",
}
KINDS = (
    "drop_before",
    "drop_after",
    "slow",
    "error_before",
    "error_after",
    "success_false",
    "missing_id",
    "truncated_body",
    "expired_token",
    "late_apply",
)
ONE_OF_EACH = {
    "extended": {
        "accounts": 1,
        "contacts": 1,
        "opportunities": 1,
        "services": 1,
        "products": 1,
        "quotations": 1,
        "lines": 2,
        "attachments": 1,
        "opportunity_notes": 1,
    }
}
ONE_OF_EACH["published"] = {name: count for name, count in ONE_OF_EACH["extended"].items() if name != "products"}
UNCERTAIN = {"drop_before", "drop_after", "slow", "error_before", "error_after", "missing_id", "truncated_body"}


async def _whole_life(engine: Engine, contract: str, kind: str, **how: float) -> set[str]:
    """A quote with all it can need, each create failing once in this way; gives back the codes of its issues."""
    # A PDF that BMS refuses is a warning, and holds nothing up.
    templates = [TEMPLATES[name] for name in TEMPLATES if (kind, name) != ("success_false", "attachment")]
    for template in templates:
        engine.bms.fault(kind, method="POST", template=template, times=1, **how)
    await engine.accepted(whole())
    _, codes = await carry_through(engine)
    if contract == "published":
        add_header(engine)
        await engine.call("POST", f"{engine.path}/quotes/q-1/sync")
        _, more = await carry_through(engine)
        codes += more
    await engine.configure(attachment={"opportunity_module_id": None})
    await engine.accepted(whole("updated", url="https://quotes.example.com/q/1b"))
    quote, more = await carry_through(engine)
    assert quote["state"] == "synced", quote
    left = [each["template"] for each in engine.bms._send("GET", "/faults")]
    if contract == "extended":
        assert left == [], "these creates were never tried"
    return {*codes, *more}


@pytest.mark.parametrize("kind", KINDS)
async def test_each_record_is_made_once_whatever_goes_wrong(eager: Engine, contract: str, kind: str) -> None:
    how = {"slow": {"seconds": 0.8}, "late_apply": {"seconds": 0.05}}.get(kind, {})
    codes = await _whole_life(eager, contract, kind, **how)
    assert made(eager.bms) == ONE_OF_EACH[contract]
    in_doubt = contract == "published" and kind in {*UNCERTAIN, "late_apply"}
    expected = {"kaseya-rejected"} if kind == "success_false" else {"line-in-doubt"} if in_doubt else set()
    assert codes == expected


async def test_throttled_creates_wait_for_the_named_time_and_count_no_attempt(eager: Engine, contract: str) -> None:
    for template in (TEMPLATES["opportunity"], TEMPLATES["account"]):
        eager.bms.fault("throttle", method="POST", template=template, seconds=1)
    quote = await eager.synced(whole())
    runs = [(run["outcome"], run["error"]) for run in quote["runs"]]
    assert [outcome for outcome, _ in runs] == ["synced", "retry", "retry"]
    assert quote["attempts"] == 0
    calls = [
        call for call in eager.bms.calls() if call["template"] == TEMPLATES["account"] and call["method"] == "POST"
    ]
    assert [call["status"] for call in calls] == [429, 200]
    assert calls[1]["at"] > calls[0]["at"]
    assert made(eager.bms)["opportunities"] == 1


@in_extended
@pytest.mark.parametrize("kind", ["account", "contact", "service", "product", "opportunity", "quotation", "line"])
async def test_a_list_that_is_behind_is_looked_at_twice(eager: Engine, kind: str) -> None:
    eager.bms.fault("drop_after", method="POST", template=TEMPLATES[kind])
    eager.bms.fault("stale_list", seconds=0.15, times=40)
    await eager.accepted(whole())
    quote, codes = await carry_through(eager)
    eager.bms.clear_faults()
    assert (quote["state"], codes) == ("synced", [])
    everything = made(eager.bms)
    assert everything == {name: 2 if name == "lines" else 1 for name in everything}


LISTS = {
    "account": ("GET", "/v2/crm/accounts/summary"),
    "contact": ("GET", "/v2/crm/contacts/search"),
    "opportunity": ("GET", "/v2/crm/opportunities"),
    "quotation": ("GET", "/v2/crm/quotes/summary"),
    "line": ("GET", "/v2/crm/quotes/{quotationId}/lineItems"),
    "service": ("POST", "/v2/admin/finance/services/search"),
    "product": ("GET", "/v2/inventory/products/searchselect"),
    "attachment": ("GET", "/v2/system/attachments/{moduleId}/{objectId}"),
}


@in_extended
@pytest.mark.parametrize("kind", LISTS)
async def test_what_both_looks_could_not_see_is_found_by_the_late_one(patient: Engine, kind: str) -> None:
    """BMS applies the create and loses the answer, and its list hides the record until after it was sent again."""
    method, template = LISTS[kind]
    patient.bms.fault("drop_after", method="POST", template=TEMPLATES[kind])
    patient.bms.fault("stale_list", method=method, template=template, seconds=3600, times=None)
    quote = await patient.synced(whole())
    patient.bms.clear_faults()
    await look_late(patient)
    (issue,) = await patient.issues()
    assert issue["code"] == "duplicate-found"
    kept = {"account": "account_id", "opportunity": "opportunity_id", "quotation": "quotation_id"}.get(kind)
    candidates = {each["kaseya_id"] for each in issue["candidates"]}
    assert len(candidates) == 2
    assert kept is None or quote["kaseya"][kept] in candidates
    await patient.synced(whole("updated", name="Another name"))
    assert [issue["code"] for issue in await patient.issues()] == ["duplicate-found"], "it stays until a person acts"


async def look_late(engine: Engine) -> None:
    """Let the time of the late look come, and look."""
    async with engine.house.database.transaction() as session:
        await session.execute(update(Intent).where(Intent.audit_at.is_not(None)).values(audit_at=func.now()))
    await Sweeper(engine.house).sweep()


@in_extended
async def test_two_quotes_that_need_the_same_new_records_make_one_of_each(eager: Engine) -> None:
    for number in range(4):
        await eager.accepted(whole(quote_id=f"q-{number}"))
    for number in range(4):
        quote, codes = await carry_through(eager, f"q-{number}")
        assert (quote["state"], codes) == ("synced", [])
    everything = made(eager.bms)
    assert {name: everything[name] for name in ("accounts", "contacts", "services", "products")} == {
        "accounts": 1,
        "contacts": 1,
        "services": 1,
        "products": 1,
    }
    assert (everything["opportunities"], everything["lines"]) == (4, 8)


@in_extended
async def test_two_quotes_make_one_account_even_if_its_answer_is_lost(eager: Engine) -> None:
    for name in ("account", "contact", "service", "product"):
        eager.bms.fault("drop_after", method="POST", template=TEMPLATES[name])
    for number in range(3):
        await eager.accepted(whole(quote_id=f"q-{number}"))
    for number in range(3):
        quote, codes = await carry_through(eager, f"q-{number}")
        assert (quote["state"], codes) == ("synced", [])
    everything = made(eager.bms)
    assert [everything[name] for name in ("accounts", "contacts", "services", "products")] == [1, 1, 1, 1]


@in_extended
@pytest.mark.parametrize("template", ["/v2/system/attachments/{moduleId}/{objectId}/{attachmentId}"])
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "error_before", "error_after"])
async def test_an_old_pdf_is_removed_though_the_answer_is_lost(eager: Engine, kind: str, template: str) -> None:
    await eager.synced(whole())
    eager.bms.fault(kind, method="DELETE", template=template)
    other = {"filename": "Quote.pdf", "content_base64": "JVBERi0xLjQKb3RoZXIKJSVFT0YK"}
    quote = await eager.synced(whole("updated", pdf=other))
    (attachment,) = eager.bms.state()["attachments"]
    assert quote["kaseya"]["attachment_id"] == str(attachment["id"])


@in_extended
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "error_before", "error_after"])
async def test_a_line_is_removed_though_the_answer_is_lost(eager: Engine, kind: str) -> None:
    await eager.synced(whole())
    template = "/v2/crm/quotes/{quotationId}/lineItems/{lineItemId}"
    eager.bms.fault(kind, method="DELETE", template=template)
    event = whole("updated")
    del event["data"]["lines"][1]
    await eager.synced(event)
    assert made(eager.bms)["lines"] == 1
