"""What becomes of a run that stopped: decided by the type of its error, as arithmetic on values."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.kaseya.errors import (
    KaseyaAmbiguousError,
    KaseyaContractError,
    KaseyaCredentialsError,
    KaseyaError,
    KaseyaHostRefusedError,
    KaseyaRejectedError,
    KaseyaThrottledError,
    KaseyaTransientError,
    KaseyaUnreachableError,
)
from app.sync.problems import (
    AnotherMakesItError,
    DatabaseAwayError,
    ExpiredError,
    InDoubtError,
    NeedsPersonError,
    OutdatedPlanError,
    Problem,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """How long to wait between attempts: exponential from ``base`` up to ``cap``, given up after ``horizon``.

    While BMS is down a lane waits ``while_down`` at most: the breaker then lets one lane per connection through, and
    whoever waited longer would only find out later that BMS is back.
    """

    base: timedelta
    cap: timedelta
    horizon: timedelta
    while_down: timedelta


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again at ``at``. Only a ``counted`` retry is a failed attempt; ``bms_is_down`` tells the breaker.

    ``asked_to_wait`` is how long BMS itself said it wants to be left alone.
    """

    at: datetime
    reason: str
    counted: bool = True
    bms_is_down: bool = False
    asked_to_wait: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Park:
    """Stop and wait for a person."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class PauseConnection:
    """BMS refused the sign-in: after one more try nothing more is sent, so that no account is locked."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """The quote cannot be carried over any more, and nobody can mend that in BMS."""

    reason: str


Outcome = Retry | Park | PauseConnection | Reject

NO_TIME = timedelta()
FOLLOW_SOON = timedelta(seconds=1)
UNREADABLE_TRIES = 5
"""A garbled answer to a read is usually a broken transfer; one that stays garbled is another API than we know."""


def decide(  # noqa: C901, PLR0911, PLR0912 - one case an error
    error: Exception,
    *,
    now: datetime,
    attempts: int,
    retrying_since: datetime | None,
    rule: RetryRule,
    jitter: Callable[[], float],
) -> Outcome:
    """Decide by the error's type. ``attempts`` counts the failed ones before this; ``jitter`` is uniform in 0…1."""
    pause = backoff(attempts, rule=rule, jitter=jitter)
    match error:
        case ExpiredError():
            return Reject(str(error))
        case NeedsPersonError(problem=problem):
            return Park(problem)
        case InDoubtError(look_at=look_at):
            return Retry(look_at, str(error), counted=False)
        case OutdatedPlanError():
            return Retry(now, str(error), counted=False)
        case AnotherMakesItError():
            return Retry(now + FOLLOW_SOON, "another quote is creating the same record in BMS", counted=False)
        case KaseyaCredentialsError():
            return PauseConnection(now + rule.base, str(error))
        case KaseyaThrottledError(retry_after=wait, is_away=is_away):
            at = now + (pause if wait is None else wait)
            return Retry(at, str(error), counted=False, bms_is_down=is_away, asked_to_wait=wait or NO_TIME)
        case KaseyaUnreachableError():
            return Retry(now + min(pause, rule.while_down), str(error), bms_is_down=True)
        case KaseyaTransientError() | KaseyaAmbiguousError() if _is_over(retrying_since, now=now, rule=rule):
            return Park(_given_up(error))
        case KaseyaTransientError():
            return Retry(now + min(pause, rule.while_down), str(error), bms_is_down=True)
        case KaseyaAmbiguousError(retry_after=wait):
            wait = wait or NO_TIME
            return Retry(now + max(pause, wait), str(error), bms_is_down=True, asked_to_wait=wait)
        case KaseyaContractError() if attempts < UNREADABLE_TRIES:
            return Retry(now + pause, str(error))
        case DatabaseAwayError():
            return Retry(now + pause, str(error))
        case KaseyaRejectedError():
            return Park(_rejected(error))
        case KaseyaHostRefusedError():
            return Park(_host_not_allowed(error))
        case _:
            return Park(_unexpected(error))


def backoff(attempts: int, *, rule: RetryRule, jitter: Callable[[], float]) -> timedelta:
    """Full jitter: anything up to an exponentially growing pause, so that lanes which failed together part."""
    longest: timedelta = min(rule.cap, rule.base * 2 ** min(attempts, 30))
    return longest * jitter()


def _is_over(retrying_since: datetime | None, *, now: datetime, rule: RetryRule) -> bool:
    return retrying_since is not None and now - retrying_since > rule.horizon


def _given_up(error: Exception) -> Problem:
    return Problem(
        code="retries-exhausted",
        title="BMS answers, but has not taken this quote for too long",
        detail=f"Every try of the last days failed; the last one: {error}",
        remedy="Check whether BMS works for this account, then press Retry.",
    )


def _rejected(error: KaseyaRejectedError) -> Problem:
    said = "; ".join((str(error), *error.details))
    return Problem(
        code="kaseya-rejected",
        title="BMS refused a part of this quote",
        detail=f"{error.endpoint}: {said}",
        remedy="Correct the quote, the settings or the record in BMS as the message says, then press Retry.",
    )


def _host_not_allowed(error: KaseyaHostRefusedError) -> Problem:
    return Problem(
        code="host-not-allowed",
        title="The connection's BMS server is not allowed any more",
        detail=str(error),
        remedy="Have the host added to QUOTEBRIDGE_ALLOWED_KASEYA_HOSTS by whoever runs Quotebridge, or enter another "
        "server in the connection; then press Retry.",
    )


def _unexpected(error: Exception) -> Problem:
    text = str(error) if isinstance(error, KaseyaError) else type(error).__name__
    return Problem(
        code="unexpected-error",
        title="Something went wrong that was not foreseen",
        detail=f"The quote was not fully carried over: {text.removesuffix('.')}.",
        remedy="Press Retry; if it comes back, send this text and the log of that time to whoever runs Quotebridge.",
    )
