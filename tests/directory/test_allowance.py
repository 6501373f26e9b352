from datetime import UTC, datetime, timedelta

from app.directory.allowance import Allowance

STARTED = datetime(2026, 11, 23, 9, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = STARTED

    def __call__(self) -> datetime:
        return self.now


def allowance(clock: Clock) -> Allowance:
    return Allowance(clock, at_a_stretch=3, every=timedelta(minutes=5))


def test_a_full_bucket_gives_as_many_reads_as_it_holds() -> None:
    taken = allowance(Clock())
    assert [taken.take("statuses") for _ in range(5)] == [True, True, True, False, False]


def test_an_empty_bucket_gets_one_read_back_every_so_often() -> None:
    clock = Clock()
    taken = allowance(clock)
    given = []
    for _ in range(40):
        given.append(taken.take("statuses"))
        clock.now += timedelta(minutes=1)
    assert given[:4] == [True, True, True, False]
    assert sum(given) == 3 + (39 // 5)


def test_a_bucket_does_not_fill_beyond_what_it_holds() -> None:
    clock = Clock()
    taken = allowance(clock)
    taken.take("statuses")
    clock.now += timedelta(days=1)
    assert [taken.take("statuses") for _ in range(4)] == [True, True, True, False]


def test_every_list_has_a_bucket_of_its_own() -> None:
    taken = allowance(Clock())
    assert all(taken.take("statuses") for _ in range(3))
    assert taken.take("warehouses")
