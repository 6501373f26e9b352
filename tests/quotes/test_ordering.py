"""What is newer, by table."""

from datetime import UTC, datetime, timedelta

import pytest

from app.quotes.model import Status
from app.quotes.ordering import Standing, Verdict, merge, status_to_keep

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
P, A, O, F, L = Status.PENDING, Status.ACCEPTED, Status.ORDERED, Status.FULFILLED, Status.LOST  # noqa: E741 - a table's heads


def _at(seconds: int, *, version: int | None = None, revision: int = 0, status: Status = P) -> Standing:
    return Standing(revision=revision, version=version, timestamp=NOON + timedelta(seconds=seconds), status=status)


def test_the_first_news_of_a_quote_is_newer() -> None:
    assert merge(None, _at(0)) is Verdict.NEWER


@pytest.mark.parametrize(
    ("known", "incoming", "newer"),
    [
        (_at(0, version=1), _at(-9, version=2), True),
        (_at(0, version=2), _at(9, version=1), False),
        (_at(0, version=2), _at(9, version=2), False),
        (_at(0, version=2), _at(9), True),
        (_at(0), _at(-1, version=9), False),
        (_at(0), _at(1), True),
        (_at(0), _at(0), False),
        (_at(0), _at(-1), False),
        (_at(9, version=9), _at(0, version=1, revision=1), True),
        (_at(0, version=1, revision=1), _at(9, version=9), False),
        (_at(0, status=A), _at(1, status=P), True),
        (_at(0, status=L), _at(1, status=A), True),
        (_at(0, status=A), _at(1, status=L), True),
        (_at(0, status=A), _at(-1, status=L), False),
    ],
)
def test_revision_then_version_then_time_decide(known: Standing, incoming: Standing, newer: bool) -> None:  # noqa: FBT001
    assert merge(known, incoming) is (Verdict.NEWER if newer else Verdict.SUPERSEDED)


@pytest.mark.parametrize(
    ("known", "incoming", "newer"),
    [
        (_at(9), _at(0), True),
        (_at(0), _at(0), True),
        (_at(9, status=A), _at(10), False),
        (_at(9, status=L), _at(10), False),
        (_at(9, status=A), _at(0, revision=1), True),
        (_at(9, revision=1), _at(10, status=A), False),
        (_at(9, status=L), _at(0, status=A), True),
        (_at(9, status=A), _at(0, status=L), True),
    ],
)
def test_without_dates_arrival_decides_but_pending_reopens_only_by_revision(
    known: Standing,
    incoming: Standing,
    newer: bool,  # noqa: FBT001
) -> None:
    assert merge(known, incoming, undated=True) is (Verdict.NEWER if newer else Verdict.SUPERSEDED)


@pytest.mark.parametrize(
    ("known", "incoming", "kept"),
    [(A, O, O), (O, A, O), (F, O, F), (F, A, F), (A, A, A), (O, P, P), (P, A, A), (L, A, A), (F, L, L), (L, P, P)],
)
def test_a_won_quote_only_moves_on(known: Status, incoming: Status, kept: Status) -> None:
    assert status_to_keep(known, incoming) is kept
