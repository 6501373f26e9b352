"""One claimed lane from claim to settlement: load, reconcile, and settle by outcome under the fence."""

import random
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.connections.refusal import count_refusal, forget_refusals
from app.connections.secrets import SecretUnreadableError
from app.db import issues, lanes, links, paces
from app.db.away import is_away
from app.db.ids import new_id
from app.db.lanes import Claim, LeaseLostError
from app.db.tables import Connection, Quote, Run
from app.house import House
from app.intake.canonical import from_canonical
from app.kaseya import Answer, Call, KaseyaCredentialsError, KaseyaError
from app.settings import seconds
from app.sync import notices
from app.sync.errand import Errand, prepare
from app.sync.mapping import renew
from app.sync.outcomes import Outcome, Park, PauseConnection, Reject, Retry, RetryRule, decide
from app.sync.problems import DatabaseAwayError, NeedsPersonError, Problem
from app.sync.reconciler import Result, reconcile
from app.telemetry import event_to_bms_seconds, logger, run_seconds, runs

log = logger("sync")

LOOK_FOR_HEADER = timedelta(hours=1)
SERVER_ERROR = 500


class LaneRun:
    """Works on one claim. Nothing escapes :meth:`work` but cancellation: every error becomes a settlement."""

    def __init__(self, house: House, claim: Claim, *, jitter: Callable[[], float] = random.random) -> None:
        """``jitter`` is uniform in 0…1, and spreads retries."""
        self._house = house
        self._claim = claim
        self._database = house.database.of(claim.connection_id)
        self._jitter = jitter
        self._calls: list[dict[str, Any]] = []
        self._steps: list[Any] = []
        self._started_at = house.clock()
        self._is_there = False

    async def work(self) -> None:
        """Run and settle; a lost lease settles nothing, since the lane is somebody else's now."""
        claim = self._claim
        try:
            with run_seconds.time():
                await self._work()
        except LeaseLostError:
            runs.labels("lease_lost").inc()
            log.warning("lane.lease_lost", connection_id=claim.connection_id, quote_id=claim.quote_id)

    async def _work(self) -> None:
        async with self._database.transaction() as session:
            connection = await session.get(Connection, self._claim.connection_id)
            quote = await session.get(Quote, (self._claim.connection_id, self._claim.quote_id))
            if connection is None or quote is None:
                return
            linked = await links.load(session, quote.connection_id, quote.quote_id)
            session.expunge_all()
        try:
            errand = prepare(
                self._house,
                connection,
                from_canonical(quote.content),
                quote_id=quote.quote_id,
                linked=linked,
                first_synced_at=quote.first_synced_at,
                claim=self._claim,
                observe=self._observe,
            )
            if self._claim.probes:
                await errand.client.system.knock()
                self._is_there = True
            result = await reconcile(errand, self._house.directory, synced_digest=quote.synced_digest)
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever stopped it, the lane must be settled with it
            await self._stopped(quote, error)
        else:
            await self._done(quote, errand, result)

    def _observe(self, call: Call, answer: Answer) -> None:
        self._calls.append(
            {
                "at": self._house.clock().isoformat(),
                "method": call.method,
                "path": call.path,
                "endpoint": call.endpoint,
                "status": answer.status,
                "outcome": answer.outcome,
                "milliseconds": round(answer.duration / timedelta(milliseconds=1)),
                "error": answer.error,
            }
        )

    async def _done(self, quote: Quote, errand: Errand, result: Result) -> None:
        now = self._house.clock()
        self._steps = list(result.steps)
        follow_up_at = errand.follow_up_at or (now + LOOK_FOR_HEADER if result.waits_for_header else None)
        warnings = (
            renew(quote.warnings, result.warnings)
            if result.unchanged
            else [warning.to_json() for warning in result.warnings]
        )
        outcome = "unchanged" if result.unchanged else "synced"
        async with self._database.transaction() as session:
            await lanes.settle(
                session,
                self._claim,
                state="synced",
                due_at=follow_up_at,
                synced_generation=self._claim.generation,
                synced_digest=result.digest,
                first_synced_at=quote.first_synced_at or now,
                synced_at=now,
                attempts=0,
                retrying_since=None,
                last_error=None,
                warnings=warnings,
            )
            await lanes.settle_events(
                session, self._claim, disposition="unchanged" if result.unchanged else "applied", reason=None
            )
            closed = await issues.close_issues(
                session, quote.connection_id, quote.quote_id, by="sync", keep="duplicate-found"
            )
            if self._calls:
                await paces.bms_answered(session, quote.connection_id)
                await forget_refusals(session, quote.connection_id)
            await self._record(session, outcome, error=None)
            if not result.unchanged:
                await notices.synced(session, quote, warnings=warnings, closed=closed)
        event_to_bms_seconds.observe(max((now - quote.updated_at).total_seconds(), 0))
        log.info("quote.synced", connection_id=quote.connection_id, quote_id=quote.quote_id, calls=len(self._calls))

    async def _stopped(self, quote: Quote, error: Exception) -> None:
        house = self._house
        settings = house.settings
        rule = RetryRule(
            base=seconds(settings.retry_base_seconds),
            cap=seconds(settings.retry_cap_seconds),
            horizon=seconds(settings.retry_horizon_seconds),
            while_down=seconds(settings.breaker_cooldown_seconds),
        )
        outcome = decide(
            _explained(error),
            now=house.clock(),
            attempts=self._claim.attempts,
            retrying_since=quote.retrying_since,
            rule=rule,
            jitter=self._jitter,
        )
        if not isinstance(error, KaseyaError | NeedsPersonError) and isinstance(outcome, Park):
            log.error("run.failed", connection_id=quote.connection_id, quote_id=quote.quote_id, exc_info=error)
        async with self._database.transaction() as session:
            await self._settle_stopped(session, quote, outcome)
            if isinstance(outcome, PauseConnection) and isinstance(error, KaseyaCredentialsError):
                await self._count_refusal(session, quote, error)
            await self._record(session, type(outcome).__name__.lower(), error=str(error))

    async def _settle_stopped(self, session: AsyncSession, quote: Quote, outcome: Outcome) -> None:
        match outcome:
            case Retry():
                await self._retry(session, quote, outcome)
            case Park(problem=problem):
                await self._park(session, quote, problem)
            case Reject(reason=reason):
                await lanes.settle(
                    session,
                    self._claim,
                    state="rejected",
                    due_at=None,
                    attempts=0,
                    retrying_since=None,
                    last_error=reason,
                )
                await lanes.settle_events(session, self._claim, disposition="rejected", reason=reason)
                await issues.close_issues(session, quote.connection_id, quote.quote_id, by="sync")
            case PauseConnection(at=at, reason=reason):
                await lanes.settle(
                    session,
                    self._claim,
                    state="retrying",
                    due_at=at,
                    attempts=self._claim.attempts,
                    last_error=reason,
                )

    async def _retry(self, session: AsyncSession, quote: Quote, retry: Retry) -> None:
        values: dict[str, Any] = {"attempts": self._claim.attempts}
        if retry.counted:
            values = {
                "attempts": self._claim.attempts + 1,
                "retrying_since": quote.retrying_since or self._house.clock(),
            }
        await lanes.settle(session, self._claim, state="retrying", due_at=retry.at, last_error=retry.reason, **values)
        if retry.bms_is_down:
            cooldown = seconds(self._house.settings.breaker_cooldown_seconds)
            await paces.bms_failed(
                session,
                quote.connection_id,
                cooldown=max(cooldown, retry.asked_to_wait),
                is_partial=self._is_there,
            )
        elif self._was_heard():
            await paces.bms_answered(session, quote.connection_id)

    def _was_heard(self) -> bool:
        """Whether BMS answered the last call, whatever it said; that it cannot answer is no answer."""
        return bool(self._calls) and (self._calls[-1]["status"] or SERVER_ERROR) < SERVER_ERROR

    async def _park(self, session: AsyncSession, quote: Quote, problem: Problem) -> None:
        await lanes.settle(
            session,
            self._claim,
            state="parked",
            due_at=None,
            attempts=0,
            retrying_since=None,
            last_error=problem.detail,
        )
        await lanes.settle_events(session, self._claim, disposition="parked", reason=problem.code)
        await issues.close_issues(session, quote.connection_id, quote.quote_id, by="sync", keep=problem.code)
        issue_id = await issues.open_issue(session, quote.connection_id, quote.quote_id, **asdict(problem))
        if issue_id is not None:
            await notices.issue_opened(session, quote.connection_id, quote.quote_id, issue_id, problem)
        if self._was_heard():
            await paces.bms_answered(session, quote.connection_id)
        log.warning("quote.parked", connection_id=quote.connection_id, quote_id=quote.quote_id, code=problem.code)

    async def _count_refusal(self, session: AsyncSession, quote: Quote, error: KaseyaCredentialsError) -> None:
        """After one more refused sign-in nothing is sent until somebody mends the credentials.

        Lanes that waited for the same sign-in share its error, and it counts once.
        """
        if error.was_counted:
            return
        error.was_counted = True
        if await count_refusal(session, quote.connection_id, reason=str(error), now=self._house.clock()):
            problem = _credentials_rejected(str(error))
            issue_id = await issues.open_issue(session, quote.connection_id, None, **asdict(problem))
            if issue_id is not None:
                await notices.issue_opened(session, quote.connection_id, None, issue_id, problem)

    async def _record(self, session: AsyncSession, outcome: str, *, error: str | None) -> None:
        runs.labels(outcome).inc()
        session.add(
            Run(
                connection_id=self._claim.connection_id,
                id=new_id("run"),
                quote_id=self._claim.quote_id,
                generation=self._claim.generation,
                started_at=self._started_at,
                finished_at=self._house.clock(),
                outcome=outcome,
                error=error,
                steps=self._steps,
                calls=self._calls,
            )
        )


def _explained(error: Exception) -> Exception:
    if isinstance(error, SecretUnreadableError):
        return NeedsPersonError(_secret_unreadable(str(error)))
    if is_away(error):
        return DatabaseAwayError("Quotebridge's own database was away for a moment")
    return error


def _secret_unreadable(reason: str) -> Problem:
    return Problem(
        code="secret-unreadable",
        title="The stored credentials cannot be read",
        detail=f"{reason}.",
        remedy="Put the key they were stored under back into QUOTEBRIDGE_SECRET_KEYS, or enter the credentials anew.",
    )


def _credentials_rejected(reason: str) -> Problem:
    return Problem(
        code="kaseya-credentials-rejected",
        title="BMS refuses the sign-in",
        detail=f"{reason} The connection is paused, so that the user is not locked; its quotes wait.",
        remedy="Change the connection's credentials; when they sign in, everything that waits goes on by itself.",
    )
