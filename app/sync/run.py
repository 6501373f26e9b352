"""One claimed lane from claim to settlement: load, reconcile, and say by outcome what becomes of the lane."""

import random
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.connections.refusal import count_refusal, forget_refusals
from app.connections.secrets import SecretUnreadableError
from app.db import issues, links, paces
from app.db.away import is_away
from app.db.ids import new_id
from app.db.lanes import Claim, LeaseLostError
from app.db.settlements import Settlement, Synced
from app.db.tables import Connection, Quote
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
from app.telemetry import event_to_bms_seconds, logger, run_seconds

log = logger("sync")

LOOK_FOR_HEADER = timedelta(hours=1)
SERVER_ERROR = 500


class LaneRun:
    """Works on one claim. Every error becomes a settlement, but for a lost lease and cancellation."""

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

    async def work(self) -> Settlement | None:
        """Run, and say what becomes of the lane; None where its quote is gone.

        Raises LeaseLostError when the lane is somebody else's now.
        """
        with run_seconds.time():
            return await self._work()

    async def _work(self) -> Settlement | None:
        async with self._database.transaction() as session:
            connection = await session.get(Connection, self._claim.connection_id)
            quote = await session.get(Quote, self._claim.key)
            if connection is None or quote is None:
                return None
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
            return self._stopped(quote, error)
        return self._done(quote, errand, result)

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

    def _done(self, quote: Quote, errand: Errand, result: Result) -> Settlement:
        now = self._house.clock()
        self._steps = list(result.steps)
        warnings = (
            renew(quote.warnings, result.warnings)
            if result.unchanged
            else [warning.to_json() for warning in result.warnings]
        )

        async def beside(session: AsyncSession) -> None:
            if self._calls:
                await paces.bms_answered(session, quote.connection_id)
                await forget_refusals(session, quote.connection_id)
            if not result.unchanged:
                await notices.synced(session, quote, warnings=warnings)

        return Settlement(
            claim=self._claim,
            state="synced",
            due_at=errand.follow_up_at or (now + LOOK_FOR_HEADER if result.waits_for_header else None),
            synced=Synced(at=now, digest=result.digest, warnings=warnings),
            disposition="unchanged" if result.unchanged else "applied",
            closes_issues=True,
            keeps_issue="duplicate-found",
            run=self._run("unchanged" if result.unchanged else "synced", finished_at=now, error=None),
            beside=None if result.unchanged and not self._calls else beside,
            afterwards=lambda: self._tell_synced(quote, now),
        )

    def _tell_synced(self, quote: Quote, now: datetime) -> None:
        event_to_bms_seconds.observe(max((now - quote.updated_at).total_seconds(), 0))
        log.info("quote.synced", connection_id=quote.connection_id, quote_id=quote.quote_id, calls=len(self._calls))

    def _stopped(self, quote: Quote, error: Exception) -> Settlement:
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
        run = self._run(type(outcome).__name__.lower(), finished_at=house.clock(), error=str(error))
        return replace(self._settlement_of(outcome, quote, error), run=run)

    def _settlement_of(self, outcome: Outcome, quote: Quote, error: Exception) -> Settlement:
        match outcome:
            case Retry():
                return self._retry(quote, outcome)
            case Park(problem=problem):
                return self._park(quote, problem)
            case Reject(reason=reason):
                return Settlement(
                    claim=self._claim,
                    state="rejected",
                    last_error=reason,
                    disposition="rejected",
                    reason=reason,
                    closes_issues=True,
                )
            case PauseConnection():
                return self._pause(quote, outcome, error)

    def _retry(self, quote: Quote, retry: Retry) -> Settlement:
        cooldown = max(seconds(self._house.settings.breaker_cooldown_seconds), retry.asked_to_wait)

        async def beside(session: AsyncSession) -> None:
            if retry.bms_is_down:
                await paces.bms_failed(session, quote.connection_id, cooldown=cooldown, is_partial=self._is_there)
            elif self._was_heard():
                await paces.bms_answered(session, quote.connection_id)

        since = quote.retrying_since
        return Settlement(
            claim=self._claim,
            state="retrying",
            due_at=retry.at,
            attempts=self._claim.attempts + retry.counted,
            retrying_since=since or self._house.clock() if retry.counted else since,
            last_error=retry.reason,
            beside=beside if retry.bms_is_down or self._was_heard() else None,
        )

    def _was_heard(self) -> bool:
        """Whether BMS answered the last call, whatever it said; that it cannot answer is no answer."""
        return bool(self._calls) and (self._calls[-1]["status"] or SERVER_ERROR) < SERVER_ERROR

    def _park(self, quote: Quote, problem: Problem) -> Settlement:
        async def beside(session: AsyncSession) -> None:
            issue_id = await issues.open_issue(session, quote.connection_id, quote.quote_id, **asdict(problem))
            if issue_id is not None:
                await notices.issue_opened(session, quote.connection_id, quote.quote_id, issue_id, problem)
            if self._was_heard():
                await paces.bms_answered(session, quote.connection_id)

        return Settlement(
            claim=self._claim,
            state="parked",
            last_error=problem.detail,
            disposition="parked",
            reason=problem.code,
            closes_issues=True,
            keeps_issue=problem.code,
            beside=beside,
            afterwards=lambda: log.warning(
                "quote.parked", connection_id=quote.connection_id, quote_id=quote.quote_id, code=problem.code
            ),
        )

    def _pause(self, quote: Quote, pause: PauseConnection, error: Exception) -> Settlement:
        """After one more refused sign-in nothing is sent until somebody mends the credentials.

        Lanes that waited for the same sign-in share its error, and it counts once.
        """
        counts = isinstance(error, KaseyaCredentialsError) and not error.was_counted
        if isinstance(error, KaseyaCredentialsError):
            error.was_counted = True

        async def beside(session: AsyncSession) -> None:
            if counts and await count_refusal(session, quote.connection_id, reason=str(error), now=self._house.clock()):
                problem = _credentials_rejected(str(error))
                issue_id = await issues.open_issue(session, quote.connection_id, None, **asdict(problem))
                if issue_id is not None:
                    await notices.issue_opened(session, quote.connection_id, None, issue_id, problem)

        return Settlement(
            claim=self._claim,
            state="retrying",
            due_at=pause.at,
            attempts=self._claim.attempts,
            retrying_since=quote.retrying_since,
            last_error=pause.reason,
            beside=beside,
        )

    def _run(self, outcome: str, *, finished_at: datetime, error: str | None) -> dict[str, Any]:
        return {
            "connection_id": self._claim.connection_id,
            "id": new_id("run"),
            "quote_id": self._claim.quote_id,
            "generation": self._claim.generation,
            "started_at": self._started_at,
            "finished_at": finished_at,
            "outcome": outcome,
            "error": error,
            "steps": self._steps,
            "calls": self._calls,
        }


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
