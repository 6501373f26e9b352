"""What becomes of a run that stopped: one outcome for each type of error, as values."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.kaseya.errors import (
    CapabilityMissingError,
    KaseyaAmbiguousError,
    KaseyaContractError,
    KaseyaCredentialsError,
    KaseyaHostRefusedError,
    KaseyaMfaRequiredError,
    KaseyaNotFoundError,
    KaseyaRejectedError,
    KaseyaThrottledError,
    KaseyaTransientError,
    KaseyaUnreachableError,
)
from app.sync.outcomes import Outcome, Park, PauseConnection, Reject, Retry, RetryRule, backoff, decide
from app.sync.problems import (
    AnotherMakesItError,
    DatabaseAwayError,
    ExpiredError,
    InDoubtError,
    NeedsPersonError,
    OutdatedPlanError,
    Problem,
)

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RULE = RetryRule(
    base=timedelta(seconds=5), cap=timedelta(hours=1), horizon=timedelta(days=7), while_down=timedelta(seconds=30)
)
SOON = NOW + 20 * SECOND
"""When a third attempt comes at the latest: 5 s, doubled twice."""
DOWN = NOW + 30 * SECOND
LONG_AGO = NOW - timedelta(days=30)
QUESTION = Problem(code="a", title="b", detail="c", remedy="d")


def latest() -> float:
    """Jitter that waits as long as it may."""
    return 1.0


def decided(error: Exception, *, attempts: int = 2, since: datetime | None = None, rule: RetryRule = RULE) -> Outcome:
    return decide(error, now=NOW, attempts=attempts, retrying_since=since, rule=rule, jitter=latest)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ExpiredError("past"), Reject("past")),
        (NeedsPersonError(QUESTION), Park(QUESTION)),
        (
            InDoubtError(NOW + SECOND, "line"),
            Retry(
                NOW + SECOND,
                "BMS may or may not have created the line; looking again at 12:00:01 UTC",
                counted=False,
            ),
        ),
        (OutdatedPlanError("plan"), Retry(NOW, "plan", counted=False)),
        (
            AnotherMakesItError(),
            Retry(NOW + SECOND, "another quote is creating the same record in BMS", counted=False),
        ),
        (KaseyaCredentialsError("no"), PauseConnection(NOW + 5 * SECOND, "no")),
        (KaseyaMfaRequiredError("code"), PauseConnection(NOW + 5 * SECOND, "code")),
        (KaseyaThrottledError("busy"), Retry(SOON, "busy", counted=False)),
        (
            KaseyaThrottledError("busy", retry_after=7 * SECOND),
            Retry(NOW + 7 * SECOND, "busy", counted=False, asked_to_wait=7 * SECOND),
        ),
        (KaseyaThrottledError("now", retry_after=timedelta()), Retry(NOW, "now", counted=False)),
        (
            KaseyaThrottledError("away", retry_after=SECOND, is_away=True),
            Retry(NOW + SECOND, "away", counted=False, bms_is_down=True, asked_to_wait=SECOND),
        ),
        (KaseyaUnreachableError("gone"), Retry(SOON, "gone", bms_is_down=True)),
        (KaseyaTransientError("late"), Retry(SOON, "late", bms_is_down=True)),
        (KaseyaAmbiguousError("lost"), Retry(SOON, "lost", bms_is_down=True)),
        (
            KaseyaAmbiguousError("lost", retry_after=21 * SECOND),
            Retry(NOW + 21 * SECOND, "lost", bms_is_down=True, asked_to_wait=21 * SECOND),
        ),
        (
            KaseyaAmbiguousError("lost", retry_after=19 * SECOND),
            Retry(SOON, "lost", bms_is_down=True, asked_to_wait=19 * SECOND),
        ),
        (KaseyaContractError("garbled"), Retry(SOON, "garbled")),
        (DatabaseAwayError("away"), Retry(SOON, "away")),
    ],
)
def test_the_type_of_the_error_decides(error: Exception, outcome: Outcome) -> None:
    assert decided(error) == outcome


WAITS = [KaseyaUnreachableError, KaseyaTransientError, KaseyaAmbiguousError, KaseyaContractError, DatabaseAwayError]


@pytest.mark.parametrize("error", [*WAITS, KaseyaThrottledError])
def test_a_pause_is_jittered(error: Callable[[str], Exception]) -> None:
    outcome = decide(error("x"), now=NOW, attempts=0, retrying_since=None, rule=RULE, jitter=lambda: 0.25)
    assert isinstance(outcome, Retry)
    assert outcome.at == NOW + 1.25 * SECOND


@pytest.mark.parametrize("error", [KaseyaUnreachableError, KaseyaTransientError])
def test_while_bms_is_down_no_lane_waits_longer_than_the_breaker_needs(error: Callable[[str], Exception]) -> None:
    outcome = decided(error("x"), attempts=4)
    assert isinstance(outcome, Retry)
    assert outcome.at == DOWN


def test_a_lost_answer_is_waited_for_as_long_as_any_failure() -> None:
    outcome = decided(KaseyaAmbiguousError("x"), attempts=4)
    assert isinstance(outcome, Retry)
    assert outcome.at == NOW + 80 * SECOND


@pytest.mark.parametrize("error", [KaseyaTransientError("slow"), KaseyaAmbiguousError("slow")])
def test_after_seven_days_of_answers_that_fail_a_person_is_asked(error: Exception) -> None:
    week = timedelta(days=7)
    assert isinstance(decided(error, since=NOW - week), Retry)
    assert decided(error, since=NOW - week - timedelta(microseconds=1)) == Park(
        Problem(
            code="retries-exhausted",
            title="BMS answers, but has not taken this quote for too long",
            detail="Every try of the last days failed; the last one: slow",
            remedy="Check whether BMS works for this account, then press Retry.",
        )
    )


@pytest.mark.parametrize(
    "error",
    [
        KaseyaUnreachableError("down"),
        KaseyaThrottledError("busy"),
        DatabaseAwayError("away"),
        AnotherMakesItError(),
        OutdatedPlanError(),
        InDoubtError(NOW, "line"),
    ],
)
def test_no_outage_and_no_wait_ever_becomes_an_issue(error: Exception) -> None:
    assert isinstance(decided(error, attempts=1000, since=LONG_AGO), Retry)


def test_a_read_that_stays_garbled_becomes_an_issue_at_the_sixth_time() -> None:
    garbled = KaseyaContractError("odd")
    assert isinstance(decided(garbled, attempts=4), Retry)
    outcome = decided(garbled, attempts=5)
    assert isinstance(outcome, Park)
    assert outcome.problem.code == "unexpected-error"


@pytest.mark.parametrize(
    ("details", "said"),
    [((), "POST /x: Bad date"), (("Close date", "Owner"), "POST /x: Bad date; Close date; Owner")],
)
@pytest.mark.parametrize("kind", [KaseyaRejectedError, KaseyaNotFoundError])
def test_a_refusal_is_told_in_the_words_of_bms(kind: Any, details: tuple[str, ...], said: str) -> None:
    assert decided(kind("Bad date", status=400, details=details, endpoint="POST /x")) == Park(
        Problem(
            code="kaseya-rejected",
            title="BMS refused a part of this quote",
            detail=said,
            remedy="Correct the quote, the settings or the record in BMS as the message says, then press Retry.",
        )
    )


def test_a_server_that_is_not_allowed_any_more_is_told_with_the_name_of_the_list() -> None:
    assert decided(KaseyaHostRefusedError("The address http://x is refused.")) == Park(
        Problem(
            code="host-not-allowed",
            title="The connection's BMS server is not allowed any more",
            detail="The address http://x is refused.",
            remedy="Have the host added to QUOTEBRIDGE_ALLOWED_KASEYA_HOSTS by whoever runs Quotebridge, or enter "
            "another server in the connection; then press Retry.",
        )
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (CapabilityMissingError("BMS has no quotations.", capability="quotations"), "BMS has no quotations"),
        (ValueError("a secret"), "ValueError"),
    ],
)
def test_what_was_not_foreseen_is_told_without_what_it_may_hold(error: Exception, text: str) -> None:
    assert decided(error) == Park(
        Problem(
            code="unexpected-error",
            title="Something went wrong that was not foreseen",
            detail=f"The quote was not fully carried over: {text}.",
            remedy="Press Retry; if it comes back, send this text and the log of that time "
            "to whoever runs Quotebridge.",
        )
    )


@pytest.mark.parametrize(
    ("attempts", "longest"),
    [
        (0, 5 * SECOND),
        (1, 10 * SECOND),
        (9, 2560 * SECOND),
        (10, timedelta(hours=1)),
        (10**9, timedelta(hours=1)),
    ],
)
def test_the_pause_doubles_up_to_the_cap(attempts: int, longest: timedelta) -> None:
    assert backoff(attempts, rule=RULE, jitter=latest) == longest
    assert backoff(attempts, rule=RULE, jitter=lambda: 0.5) == longest / 2
    assert backoff(attempts, rule=RULE, jitter=lambda: 0.0) == timedelta()


def test_without_a_cap_in_reach_the_pause_doubles_thirty_times_and_no_more() -> None:
    endless = RetryRule(
        base=timedelta(microseconds=1), cap=timedelta(days=9000), horizon=RULE.horizon, while_down=RULE.while_down
    )
    assert backoff(30, rule=endless, jitter=latest) == timedelta(microseconds=2**30)
    assert backoff(31, rule=endless, jitter=latest) == timedelta(microseconds=2**30)
