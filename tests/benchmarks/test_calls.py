"""What the call rows compare with: the workload they play, and the floor that they count."""

from dataclasses import replace
from datetime import timedelta

from benchmarks.calls.floor import Terms, floor_of, runs_of
from benchmarks.calls.workload import EVENTS, STARTED, State, Workload, make_backlog, make_workload


def single(*kinds: str, seconds: tuple[float, ...]) -> Workload:
    """One quote, with events of these kinds so many seconds after the start; each but the first has one line less."""
    made = make_workload(10)
    quote = next(each for each in made.quotes if len(each.events[0].state.lines) > len(kinds))
    first = quote.events[0]
    events = [
        replace(
            first,
            at=STARTED + timedelta(seconds=after),
            kind=kind,
            version=number,
            state=_shorter(first.state, number - 1, kind),
        )
        for number, (kind, after) in enumerate(zip(kinds, seconds, strict=True), start=1)
    ]
    return replace(made, quotes=(replace(quote, events=tuple(events)),))


def _shorter(state: State, by: int, kind: str) -> State:
    status = {"won": "accepted", "lost": "lost"}.get(kind, "pending")
    return replace(state, status=status, lines=state.lines[: len(state.lines) - by])


def test_the_same_seed_makes_the_same_workload() -> None:
    assert make_workload(20) == make_workload(20)
    assert make_workload(20) != make_workload(20, seed=2)


def test_a_workload_has_six_events_a_quote_and_31_lines_on_average() -> None:
    workload = make_workload(61)
    assert {len(quote.events) for quote in workload.quotes} == {EVENTS}
    assert workload.mean_lines == 31
    assert len(workload.arrivals()) == 61 * EVENTS


def test_a_backlog_is_there_at_once() -> None:
    assert {(event.at, event.kind) for event, _ in make_backlog(20).arrivals()} == {(STARTED, "created")}


def test_updates_of_a_burst_are_one_run() -> None:
    (quote,) = single("created", "updated", "updated", "updated", seconds=(0, 60, 61, 62)).quotes
    assert [run.at - STARTED for run in runs_of(quote)] == [timedelta(), timedelta(seconds=64)]


def test_updates_without_end_are_sent_after_fifteen_seconds() -> None:
    seconds = (0, *range(60, 80))
    (quote,) = single("created", *["updated"] * 20, seconds=seconds).quotes
    assert [run.at - STARTED for run in runs_of(quote)][1] == timedelta(seconds=75)


def test_a_decision_goes_at_once_and_takes_a_waiting_update_with_it() -> None:
    (quote,) = single("created", "updated", "won", seconds=(0, 60, 61)).quotes
    assert [(run.at - STARTED, run.state.status) for run in runs_of(quote)] == [
        (timedelta(), "pending"),
        (timedelta(seconds=61), "accepted"),
    ]


def test_the_floor_of_a_new_quote_is_a_call_for_each_record() -> None:
    workload = single("created", seconds=(0,))
    (quote,) = workload.quotes
    lines = quote.events[0].state.lines
    floor = floor_of(workload, Terms(), is_new=False)
    assert floor["line: add"] == len(lines)
    assert floor["opportunity: create"] == floor["quotation: create"] == floor["pdf: upload"] == 1
    assert floor["account: search"] == 1
    assert floor["item: search"] == floor["item: create"] == 0


def test_the_floor_of_a_change_is_the_line_and_the_opportunity() -> None:
    workload = single("created", "updated", seconds=(0, 60))
    floor = floor_of(workload, Terms(), is_new=False)
    assert floor["line: remove"] == 1
    assert floor["opportunity: read and write"] == 2
    assert floor["pdf: upload"] == 1


def test_without_quotations_the_floor_asks_for_no_line() -> None:
    floor = floor_of(make_workload(20), Terms(with_lines=False))
    assert not any(name.startswith(("line", "item", "quotation")) for name in floor)


def test_what_the_api_cannot_create_is_found_in_the_second_run() -> None:
    floor = floor_of(make_workload(20), Terms(contract="published"))
    assert floor["quotation: find"] == 40
    assert floor["quotation: create"] == 0


def test_look_ups_are_read_once_in_five_minutes_with_a_run() -> None:
    quick = single("created", "updated", seconds=(0, 200))
    slow = single("created", "updated", seconds=(0, 400))
    assert (floor_of(quick, Terms())["look-ups"], floor_of(slow, Terms())["look-ups"]) == (3, 6)
