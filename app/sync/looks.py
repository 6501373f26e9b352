"""Looking for what a lost answer may have created: by kind, with the key that finds it again."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from app.db.tables import Intent
from app.kaseya import Account, Capability
from app.sync.errand import Errand
from app.sync.mapping import fold
from app.sync.problems import Problem

SHARED = frozenset({"account", "contact", "service", "product"})
"""Kinds that several quotes may need at once; the others belong to one quote."""

CLOCKS_DIFFER = timedelta(days=2)
"""BMS's times come without a zone and from another clock: a filter by creation time leaves this much room."""


async def look(errand: Errand, intent: Intent) -> list[dict[str, Any]]:
    """The records that an intent may have created, lowest id first, in the shape of a create's result."""
    found = await _LOOKS[intent.kind](errand, intent)
    return sorted(found, key=lambda each: int(each["id"]))


def cannot_be_found(errand: Errand, intent: Intent) -> Problem | None:
    """A line is in doubt for good where this tenant's API cannot list lines: only a person can look."""
    if intent.kind != "line" or Capability.QUOTATION_LINES_LIST in errand.client.capabilities:
        return None
    hint = intent.hint
    return Problem(
        code="line-in-doubt",
        title="BMS may or may not have taken a quotation line",
        detail=f"The answer to adding {hint['sent']['name']!r} to quotation {hint['quotation_id']} was lost, and this "
        "tenant's API cannot list lines.",
        remedy="Look at the quotation in BMS. If the line is there, give its id; if not, choose to send it again.",
        context={"kind": intent.kind, "key": intent.key},
    )


def main_location(account: Account) -> int | None:
    """The account's main location, else its lowest active one."""
    usable = [location for location in account.locations if location.is_active]
    best = min(usable, key=lambda location: (not location.is_main, location.id), default=None)
    return best.id if best else None


def all_sent(hint: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What was sent, the newest first: BMS may apply any sending of a create, and the quote may change between them."""
    return [hint["sent"], *hint.get("sent_before", ())]


async def _accounts(errand: Errand, intent: Intent) -> list[dict[str, Any]]:
    name = intent.hint["name"]
    found = await errand.client.accounts.search(name)
    return [
        {"id": account.id, "location_id": main_location(account)}
        for account in found
        if fold(account.account_name) == fold(name)
    ]


async def _contacts(errand: Errand, intent: Intent) -> list[dict[str, Any]]:
    hint = intent.hint
    found = await errand.client.contacts.search(
        account_ids=[hint["account_id"]],
        email=hint["email"],
        first_name=None if hint["email"] else hint["first_name"],
        last_name=None if hint["email"] else hint["last_name"],
    )
    return [
        {"id": contact.id}
        for contact in found
        if contact.account_id == hint["account_id"]
        and _same_person(hint, contact.email_address, contact.first_name, contact.last_name)
    ]


def _same_person(hint: dict[str, Any], email: str | None, first_name: str | None, last_name: str | None) -> bool:
    if hint["email"]:
        return fold(email) == fold(hint["email"])
    return (fold(first_name), fold(last_name)) == (fold(hint["first_name"]), fold(hint["last_name"]))


async def _services(errand: Errand, intent: Intent) -> list[dict[str, Any]]:
    code = intent.hint["code"]
    return [{"id": each.id} for each in await errand.client.services.search(code) if fold(each.name) == fold(code)]


async def _products(errand: Errand, intent: Intent) -> list[dict[str, Any]]:
    code = intent.hint["code"]
    found = await errand.client.products.search(number=code)
    return _distinct(each.product_index_id for each in found if fold(each.product_number) == fold(code))


def _distinct(ids: Iterable[int]) -> list[dict[str, Any]]:
    return [{"id": each} for each in sorted(set(ids))]


async def _opportunities(errand: Errand, intent: Intent) -> list[dict[str, Any]]:
    found = await errand.client.opportunities.search(
        account_id=intent.hint["account_id"], created_from=intent.sent_at - CLOCKS_DIFFER
    )
    return [{"id": each.id} for each in found if errand.mark in (each.description or "")]


async def _quotations(errand: Errand, intent: Intent) -> list[dict[str, Any]]:
    hint = intent.hint
    summaries = await errand.client.quotations.summaries(hint["account_id"], intent.sent_at - CLOCKS_DIFFER)
    as_sent = {sent["name"]: sent for sent in reversed(all_sent(hint))}
    headers = [await errand.client.quotations.get(each.id) for each in summaries if each.name in as_sent]
    names = {each.id: each.name or "" for each in summaries}
    return [
        {"id": each.id, "sent": as_sent[names[each.id]]}
        for each in headers
        if each.opportunity_id == hint["opportunity_id"]
    ]


async def _lines(errand: Errand, intent: Intent) -> list[dict[str, Any]]:
    as_sent: dict[tuple[str, Decimal | None, Decimal | None], Mapping[str, Any]] = {
        (sent["name"], Decimal(sent["quantity"]), Decimal(sent["unit_price"])): sent
        for sent in reversed(all_sent(intent.hint))
    }
    ours = {line.kaseya_line_id for line in errand.lines.values()}
    return [
        {"id": line.id, "sent": sent}
        for line in await errand.client.quotations.lines(intent.hint["quotation_id"])
        if line.id not in ours and (sent := as_sent.get((line.name or "", line.quantity, line.unit_price)))
    ]


async def _notes(errand: Errand, intent: Intent) -> list[dict[str, Any]]:
    found = await errand.client.opportunities.notes(intent.hint["opportunity_id"])
    return [{"id": each.id} for each in found if intent.hint["text"] == (each.note or "")]


async def _attachments(errand: Errand, intent: Intent) -> list[dict[str, Any]]:
    hint = intent.hint
    found = await errand.client.attachments.list(hint["module_id"], hint["opportunity_id"])
    return [{"id": each.id} for each in found if each.original_file_name == hint["name"]]


_LOOKS = {
    "account": _accounts,
    "contact": _contacts,
    "service": _services,
    "product": _products,
    "opportunity": _opportunities,
    "quotation": _quotations,
    "line": _lines,
    "note": _notes,
    "attachment": _attachments,
}
