"""Every create goes wrong once, in every way that there is: BMS ends with one of each all the same."""

import pytest

from tests.fixtures.engine import Engine
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
    for template in TEMPLATES.values():
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
