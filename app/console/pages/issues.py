"""Issues: what stopped and why, with Retry and Dismiss, and the choice that some need."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app.connections.model import INT32_MAX
from app.console import reads
from app.console.deps import ConnectionDep, Form, FormDep
from app.console.errors import not_found
from app.console.render import page, redirect
from app.console.session import PATH
from app.db.tables import Connection, Issue
from app.deps import HouseDep, SessionDep

router = APIRouter(prefix="/connections/{connection_id}/issues")

NEEDS_CHOICE = ("line-in-doubt", "quotation-ambiguous")


@router.get("")
async def list_issues(
    request: Request,
    connection: ConnectionDep,
    house: HouseDep,
    session: SessionDep,
    *,
    state: str = "open",
    before: Annotated[str, Query(pattern="^[a-z_0-9]*$")] = "",
) -> Response:
    """Open issues, or the closed ones as history; the newest first."""
    shown = state if state in ("open", "closed") else "open"
    return page(
        request,
        "issues.html",
        health=await reads.health_of(house, connection.id),
        listed=await reads.issues(session, connection.id, shown, before=before),
        state=shown,
        needs_choice=NEEDS_CHOICE,
        live=f"{PATH}/live/{connection.id}",
    )


@router.post("/{issue_id}/retry")
async def retry_issue(
    request: Request, connection: ConnectionDep, session: SessionDep, form: FormDep, issue_id: str
) -> Response:
    """Close the issue and sync its quote at once; if the cause is still there, a new issue says so."""
    from app.sync.issues import ChoiceRequiredError, retry  # noqa: PLC0415 - only a retry needs the engine here

    here = f"{PATH}/connections/{connection.id}/issues"
    issue = await _find(session, connection, issue_id)
    if issue.state != "open":
        return redirect(request, here, "This issue was closed before.", kind="note")
    choice = _choice(form)
    if issue.code in NEEDS_CHOICE and choice is None:
        message = "Say first what you found in BMS: choose one of the answers beside Retry."
        return redirect(request, f"{here}#{issue.id}", message, kind="bad")
    try:
        await retry(session, issue, choice)
    except ChoiceRequiredError:
        message = "Enter the id that the line has in BMS, or say that it is not there."
        return redirect(request, f"{here}#{issue.id}", message, kind="bad")
    to = here if issue.quote_id is None else f"{PATH}/connections/{connection.id}/quotes/{issue.quote_id}"
    return redirect(request, to, "Trying again now. If the cause is still there, a new issue says so.")


@router.post("/{issue_id}/dismiss")
async def dismiss_issue(
    request: Request, connection: ConnectionDep, session: SessionDep, _: FormDep, issue_id: str
) -> Response:
    """Close the issue and leave BMS as it is."""
    from app.sync.issues import dismiss  # noqa: PLC0415 - as above

    here = f"{PATH}/connections/{connection.id}/issues"
    issue = await _find(session, connection, issue_id)
    if issue.state != "open":
        return redirect(request, here, "This issue was closed before.", kind="note")
    await dismiss(session, issue)
    return redirect(request, here, "Dismissed. BMS stays as it is; the quote's next event is synced as usual.")


async def _find(session: AsyncSession, connection: Connection, issue_id: str) -> Issue:
    issue = await session.get(Issue, (connection.id, issue_id), with_for_update=True)
    if issue is None:
        raise not_found("issue")
    return issue


def _choice(form: Form) -> Mapping[str, Any] | None:
    """What a person found out in BMS; None where nothing usable was said."""
    if form.get("choice") == "send_again":
        return {"send_again": True}
    kaseya_id = form.get("other_id") or form.get("kaseya_id", "")
    is_id = kaseya_id.isascii() and kaseya_id.isdigit() and 1 <= int(kaseya_id[:11]) <= INT32_MAX
    return {"kaseya_id": kaseya_id} if is_id else None
