"""Issues: what stopped and why, retried or dismissed by a person."""

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.tables import Connection, Issue
from app.deps import SessionDep
from app.routers.examples import ISSUE
from app.routers.fields import IssueId, Time
from app.routers.paging import Listing, PageDep
from app.routers.problems import Problem, problem_responses
from app.routers.security import ConnectionDep

router = APIRouter(prefix="/v1/connections/{connection_id}/issues", tags=["issues"])

IssueState = Literal["open", "closed"]


class IssueView(BaseModel):
    """A quote, or the whole connection where `quote_id` is null, that stopped and waits for a person."""

    model_config = ConfigDict(json_schema_extra={"examples": [ISSUE]})

    issue_id: str
    quote_id: str | None
    code: str
    title: str
    detail: str
    remedy: str
    setting: str | None
    state: IssueState
    opened_at: Time
    closed_at: Time | None
    closed_by: str | None
    candidates: list[Any] | None


class RetryChoice(BaseModel):
    """What a person found out, where an issue asks: the record exists under an id, or it is not there."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"kaseya_id": "7001"}]})

    kaseya_id: Annotated[str, Field(pattern="^[0-9]{1,10}$")] | None = None
    send_again: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_at_most(self) -> Self:
        if self.kaseya_id is not None and self.send_again:
            message = "give kaseya_id or send_again, not both"
            raise ValueError(message)
        return self


@router.get("", summary="List the issues", responses=problem_responses("connection-not-found"))
async def list_issues(
    connection: ConnectionDep, session: SessionDep, page: PageDep, *, state: IssueState | None = None
) -> Listing[IssueView]:
    """List what stopped, the newest first; closed issues stay in the list."""
    query = select(Issue).where(Issue.connection_id == connection.id)
    if state:
        query = query.where(Issue.state == state)
    rows = (await session.scalars(page.newest_first(query, Issue.id))).all()
    shown, cursor = page.cut(rows, key=lambda row: [row.id])
    return Listing(items=[_view(row) for row in shown], next_cursor=cursor)


@router.get(
    "/{issue_id}",
    summary="Read one issue",
    responses=problem_responses("connection-not-found", "issue-not-found"),
)
async def get_issue(connection: ConnectionDep, session: SessionDep, issue_id: IssueId) -> IssueView:
    """Read one issue: what stopped, why, and how to mend it."""
    return _view(await _find(session, connection, issue_id))


@router.post(
    "/{issue_id}/retry",
    status_code=202,
    summary="Retry what an issue stopped",
    responses=problem_responses("connection-not-found", "issue-not-found", "issue-closed", "choice-required"),
)
async def retry_issue(
    connection: ConnectionDep,
    session: SessionDep,
    issue_id: IssueId,
    choice: Annotated[RetryChoice | None, Body()] = None,
) -> IssueView:
    """Close the issue and sync its quote at once; if the cause is still there, a new issue says so."""
    from app.sync.issues import ChoiceRequiredError, retry  # noqa: PLC0415 - loaded when first needed

    issue = await _open(session, connection, issue_id)
    try:
        await retry(session, issue, _chosen(choice))
    except ChoiceRequiredError as error:
        raise Problem(409, "choice-required", str(error)) from None
    await session.flush()
    await session.refresh(issue)
    return _view(issue)


@router.post(
    "/{issue_id}/dismiss",
    summary="Dismiss an issue",
    responses=problem_responses("connection-not-found", "issue-not-found", "issue-closed"),
)
async def dismiss_issue(connection: ConnectionDep, session: SessionDep, issue_id: IssueId) -> IssueView:
    """Close the issue and leave BMS as it is; the quote's next event is synced as usual."""
    from app.sync.issues import dismiss  # noqa: PLC0415 - loaded when first needed

    issue = await _open(session, connection, issue_id)
    await dismiss(session, issue)
    await session.flush()
    await session.refresh(issue)
    return _view(issue)


def _chosen(choice: RetryChoice | None) -> dict[str, Any] | None:
    return choice.model_dump(exclude_none=True) or None if choice else None


async def _find(session: AsyncSession, connection: Connection, issue_id: str, *, lock: bool = False) -> Issue:
    row = await session.get(Issue, (connection.id, issue_id), with_for_update=lock)
    if row is None:
        raise Problem(404, "issue-not-found", f"This connection has no issue {issue_id}.")
    return row


async def _open(session: AsyncSession, connection: Connection, issue_id: str) -> Issue:
    row = await _find(session, connection, issue_id, lock=True)
    if row.state != "open":
        raise Problem(409, "issue-closed", f"The issue was closed before ({row.closed_by or 'no reason given'}).")
    return row


def _view(row: Issue) -> IssueView:
    names = IssueView.model_fields.keys() - {"issue_id"}
    return IssueView(issue_id=row.id, **{name: getattr(row, name) for name in names})
