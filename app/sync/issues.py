"""What a person may do about an issue: try again, with a choice where one is needed, or leave it be."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import intents, lanes, links
from app.db.notices import announce_closed
from app.db.tables import Connection, Intent, Issue, Link, Pace, Quote

HANGS_ON_OPPORTUNITY = (
    "opportunity_id",
    "opportunity_sent",
    "quotation_id",
    "quotation_sent",
    "attachment_id",
    "attachment_digest",
    "attachment_name",
    "noted_url",
)
"""The columns of a link that mean nothing without the opportunity."""


class ChoiceRequiredError(Exception):
    """The issue can only be retried with a choice; the message says which."""


async def retry(session: AsyncSession, issue: Issue, choice: Mapping[str, Any] | None) -> None:
    """Close the issue and sync its quote at once.

    ``choice`` is ``{"kaseya_id": "…"}`` or ``{"send_again": true}`` where the issue asks for one. Raises
    :class:`ChoiceRequiredError` without it.
    """
    match issue.code:
        case "line-in-doubt":
            await _settle_line(session, issue, choice or {})
        case "quotation-ambiguous" if choice and "kaseya_id" in choice:
            await _choose_quotation(session, issue, int(choice["kaseya_id"]))
        case "opportunity-gone":
            assert issue.quote_id is not None
            await unlink_opportunity(session, issue.connection_id, issue.quote_id)
        case "quotation-gone":
            assert issue.quote_id is not None
            await _unlink_quotation(session, issue.connection_id, issue.quote_id)
        case "kaseya-credentials-rejected":
            await _resume(session, issue.connection_id)
    await _close(session, issue, by="retry")
    if issue.quote_id is not None:
        await lanes.mark_due(session, *_lane(issue), urgent=True)


async def unlink_opportunity(session: AsyncSession, connection_id: str, quote_id: str) -> None:
    """Forget the quote's opportunity and all that hung on it, so that the next run links or creates another one."""
    link = (Link.connection_id == connection_id, Link.quote_id == quote_id)
    quote = (Quote.connection_id == connection_id, Quote.quote_id == quote_id)
    await session.execute(update(Link).where(*link).values(dict.fromkeys(HANGS_ON_OPPORTUNITY)))
    await session.execute(update(Quote).where(*quote).values(synced_digest=None))
    await intents.withdraw(session, connection_id, "opportunity", quote_id)
    await links.forget_lines(session, connection_id, quote_id)


async def _unlink_quotation(session: AsyncSession, connection_id: str, quote_id: str) -> None:
    await links.save(session, connection_id, quote_id, quotation_id=None, quotation_sent=None)
    await links.forget_lines(session, connection_id, quote_id)


async def dismiss(session: AsyncSession, issue: Issue) -> None:
    """Close the issue and leave BMS as it is; the quote's next event is synced as usual."""
    await _close(session, issue, by="dismiss")


async def _close(session: AsyncSession, issue: Issue, *, by: str) -> None:
    issue.state, issue.closed_by = "closed", by
    issue.closed_at = func.now()
    await session.flush()
    await announce_closed(session, issue)


def _lane(issue: Issue) -> tuple[Any, ...]:
    return Quote.connection_id == issue.connection_id, Quote.quote_id == issue.quote_id


async def _settle_line(session: AsyncSession, issue: Issue, choice: Mapping[str, Any]) -> None:
    key = (issue.connection_id, "line", (issue.context or {}).get("key", ""))
    intent = await session.get(Intent, key)
    if intent is None:
        return
    if choice.get("kaseya_id"):
        made, hint = int(choice["kaseya_id"]), intent.hint
        values = {name: hint[name] for name in ("item_kind", "item_id", "sent")}
        await intents.close(session, *key, result={"id": made})
        await links.save_line(
            session, issue.connection_id, intent.quote_id, hint["line_id"], kaseya_line_id=made, removed=False, **values
        )
    elif choice.get("send_again"):
        await intents.withdraw(session, *key)
    else:
        message = 'Say whether the line is in BMS, with {"kaseya_id": "<its id>"}, or not, with {"send_again": true}.'
        raise ChoiceRequiredError(message)


async def _choose_quotation(session: AsyncSession, issue: Issue, quotation_id: int) -> None:
    assert issue.quote_id is not None
    await links.save(session, issue.connection_id, issue.quote_id, quotation_id=quotation_id)


async def _resume(session: AsyncSession, connection_id: str) -> None:
    await session.execute(
        update(Connection)
        .where(Connection.id == connection_id, Connection.state == "credentials_rejected")
        .values(state="active", state_reason=None, refused_sign_ins=0)
    )
    await session.execute(update(Pace).where(Pace.connection_id == connection_id).values(failures=0, open_until=None))
    await lanes.wake(session)
