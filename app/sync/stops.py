"""What stops a quote until a person has acted, in words: what, why, and how to mend it."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.db.tables import Intent
from app.kaseya import Account
from app.sync.problems import Problem


def account_not_usable(account_id: int, why: str) -> Problem:
    """The account that the quote names is gone, inactive, or without a location."""
    return Problem(
        code="account-not-usable",
        title="The account that the quote names cannot be used",
        detail=f"The account {account_id} {why}.",
        remedy="Activate the account in BMS or pick another one in the quote, then press Retry.",
    )


def account_mismatch(opportunity_id: int, its_account: int | None, account_id: int | None) -> Problem:
    """The opportunity belongs to another account than the quote."""
    return Problem(
        code="opportunity-account-mismatch",
        title="The opportunity belongs to another account",
        detail=f"The opportunity {opportunity_id} belongs to account {its_account}, the quote to "
        f"{account_id or 'a new account'}.",
        remedy="Pick the opportunity's account, or another opportunity, in the quote, then press Retry.",
    )


def account_inactive(found: Sequence[Account]) -> Problem:
    """BMS has the quote's account only as an inactive one."""
    return Problem(
        code="account-inactive",
        title="The account is inactive in BMS",
        detail=f"BMS has {found[0].account_name!r} only as an inactive account ({found[0].id}).",
        remedy="Activate it in BMS, then press Retry; or pick another account in the quote.",
        candidates=[{"kaseya_id": str(each.id), "name": each.account_name} for each in found],
    )


def account_missing(name: str) -> Problem:
    """BMS does not have the account, and the settings say not to create it."""
    return Problem(
        code="account-not-found",
        title="The account is not in BMS",
        detail=f"BMS has no account named {name!r}, and the settings say that missing accounts are not created.",
        remedy="Create the account in BMS, or switch on create_missing in the settings, then press Retry.",
        setting="/account/create_missing",
    )


def not_selectable(opportunity_id: int, why: str) -> Problem:
    """The opportunity that the quote names is gone, or not Open and Active."""
    return Problem(
        code="opportunity-not-selectable",
        title="The opportunity that the quote names cannot be used",
        detail=f"The opportunity {opportunity_id} {why}.",
        remedy="Reopen it in BMS or pick another opportunity (or none) in the quote, then press Retry.",
    )


def quotation_ambiguous(opportunity_id: int, ids: Sequence[int]) -> Problem:
    """In adopt mode, the opportunity has several quotations."""
    return Problem(
        code="quotation-ambiguous",
        title="The opportunity has several quotations",
        detail=f"Opportunity {opportunity_id} has the quotations {', '.join(map(str, ids))}: which one is the quote's?",
        remedy="Remove the others in BMS, or press Retry with the id of the right one.",
        candidates=[{"kaseya_id": str(each)} for each in ids],
        context={"kind": "quotation"},
    )


def several_found(intent: Intent, found: Sequence[Mapping[str, Any]]) -> Problem:
    """BMS holds more than one record of what was to be created once; the first is the quote's."""
    ids = ", ".join(str(each["id"]) for each in found)
    return Problem(
        code="duplicate-found",
        title=f"BMS holds this quote's {intent.kind} more than once",
        detail=f"An answer of BMS was lost, and looking for the {intent.kind} found {len(found)} of them: {ids}. "
        f"The quote is linked with {found[0]['id']}.",
        remedy="Remove the others in BMS (or close them), then press Retry.",
        candidates=_candidates(found),
    )


def unwanted_found(intent: Intent, found: Sequence[Mapping[str, Any]], *, linked: int | None) -> Problem:
    """BMS has created a record so late that the quote has gone on without it."""
    ids = ", ".join(str(each["id"]) for each in found)
    instead = "belongs to another account or opportunity by now" if linked is None else f"is linked with {linked}"
    return Problem(
        code="duplicate-found",
        title=f"This quote does not want one {intent.kind} any more that BMS holds",
        detail=f"An answer of BMS was lost, and the {intent.kind} was found late: {ids}. The quote {instead}.",
        remedy=f"Remove the {intent.kind} in BMS unless somebody else needs it, then press Retry.",
        candidates=_candidates(found if linked is None else [{"id": linked}, *found]),
    )


def _candidates(found: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [{"kaseya_id": str(each["id"])} for each in found]
