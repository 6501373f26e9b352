"""A create that BMS applies after both looks, while the quote wants something else by then: it is noticed."""

import base64
import random
from datetime import timedelta
from typing import Any

import pytest

from simulation.orders import Order, OrderedWeather
from simulation.play import Play
from simulation.processes import Engine
from simulation.quotes import STARTED, Arrival, Quote
from simulation.script import Script, Storm
from simulation.verdict import SimulationError

Json = dict[str, Any]
VERY_LATE = 400
"""Seconds: after both looks, and before the late one."""
LINE: Json = {
    "line_id": "l-0",
    "name": "Simulated work",
    "item_code": "SIM-1",
    "category": "Labor",
    "quantity": "2",
    "unit_price": "50.00",
    "unit_cost": "5.00",
}


def _pdf(text: str) -> Json:
    return {"filename": "Quote.pdf", "content_base64": base64.b64encode(f"%PDF-1.4 {text}".encode()).decode()}


def _events(*contents: Json) -> Quote:
    events = []
    for version, content in enumerate(contents, start=1):
        data = {
            "quote_id": "q-0",
            "number": "100",
            "version": version,
            "name": "Simulated 0",
            "status": "pending",
            "currency": "USD",
            "expires_on": "2099-12-31",
            "owner": {"email": "sam@msp.example"},
            "account": {"name": "Example Gadgets Inc"},
            "contact": {"first_name": "Gail", "last_name": "Gadget", "email": "gail@gadgets.example"},
            "totals": {"one_time": f"100{version}.00"},
            "lines": [],
            **content,
        }
        happened_at = STARTED + timedelta(minutes=version)
        kind = "created" if version == 1 else "updated"
        events.append({"type": f"quote.{kind}", "timestamp": happened_at.isoformat(), "data": data})
    return Quote("q-0", tuple(events))


def _script(quote: Quote, *orders: Order, every: float = 30) -> Script:
    """The quote's events come one by one, while its first create is in doubt."""
    return Script(
        chance=random.Random(0),
        is_extended=True,
        storm=Storm(weather=OrderedWeather(*orders)),
        quotes=[quote],
        arrivals=[
            Arrival(STARTED + timedelta(seconds=every * number), 0, number + 1) for number in range(len(quote.events))
        ],
    )


async def _play(engine: Engine, script: Script) -> Play:
    """Play for an hour, and have the verdict say that BMS is as the newest event wants it."""
    play = Play(script, engine)
    try:
        await play.begin()
        await play.pass_time(timedelta(hours=1))
        await play.end()
    finally:
        await play.stage.clear()
    return play


def _told(play: Play) -> list[str]:
    return [line.split(": ", 1)[1] for line in play.trace if ": issue " in line]


PEOPLE = (
    {"contact": {"first_name": "Nora", "last_name": "New", "email": "nora@simulated.example"}},
    {"contact": {"first_name": "Otto", "last_name": "Other", "email": "otto@simulated.example"}},
)
CUSTOMERS = ({"account": {"name": "Simulated Ltd"}}, {"account": {"name": "Simulated Renamed Ltd"}})


@pytest.mark.parametrize(
    ("path", "contents"),
    [
        ("/lineItems/", ({"lines": [LINE]}, {})),
        ("/services/services", ({"lines": [LINE]}, {})),
        ("/system/attachments/", ({"pdf": _pdf("one")}, {"pdf": _pdf("two")})),
    ],
    ids=["line", "service", "attachment"],
)
async def test_what_the_quote_has_dropped_meanwhile_is_taken_in_and_put_right(
    stagehands: Engine, path: str, contents: tuple[Json, ...]
) -> None:
    play = await _play(stagehands, _script(_events(*contents), Order("late_apply", path=path, seconds=VERY_LATE)))
    assert _told(play) == []
    assert any(call.method == "POST" and path in call.path for call in play.world.calls)


@pytest.mark.parametrize(
    ("path", "contents", "kind"),
    [
        ("/crm/accounts$", CUSTOMERS, "account"),
        ("/crm/contacts/summary$", PEOPLE, "contact"),
        ("/crm/opportunities$", ({}, {"opportunity": {"kaseya_opportunity_id": "1301"}}), "opportunity"),
    ],
)
async def test_what_cannot_be_taken_away_is_told_to_a_person(
    stagehands: Engine, path: str, contents: tuple[Json, ...], kind: str
) -> None:
    play = await _play(stagehands, _script(_events(*contents), Order("late_apply", path=path, seconds=VERY_LATE)))
    (told,) = _told(play)
    assert told.startswith("issue duplicate-found of q-0: ")
    assert kind in told


async def test_a_quotation_of_an_opportunity_that_the_quote_has_left_is_told_to_a_person(stagehands: Engine) -> None:
    quote = _events({}, {"opportunity": {"kaseya_opportunity_id": "1301"}})
    play = Play(_script(quote, Order("late_apply", path="/crm/quotes$", seconds=VERY_LATE)), stagehands)
    await play.begin()
    await play.pass_time(timedelta(hours=1))
    assert await play.answer_people() == 1
    assert "the quotation was found late" in _told(play)[0]


async def test_a_create_that_comes_back_is_taken_as_it_was_sent_and_then_brought_up_to_date(
    stagehands: Engine,
) -> None:
    """The line is dropped and comes back with another quantity, when BMS has applied the first sending already."""
    quote = _events({"lines": [LINE]}, {}, {"lines": [LINE | {"quantity": "4"}]})
    play = await _play(stagehands, _script(quote, Order("late_apply", path="/lineItems/", seconds=150), every=100))
    assert _told(play) == []
    assert [row["Quantity"] for row in play.world.store.all("lines")] == [4]


async def test_what_could_not_be_sent_again_at_once_is_looked_for_before_it_is(stagehands: Engine) -> None:
    """Both looks were too early, and BMS throttles the second sending until the first one has been applied."""
    path = "/crm/opportunities$"
    orders = Order("late_apply", path=path, seconds=150), Order("throttle", path=path, seconds=120)
    play = await _play(stagehands, _script(_events({}), *orders))
    assert _told(play) == []
    assert sum(call.method == "POST" and call.path.endswith("/crm/opportunities") for call in play.world.calls) == 2


async def test_a_line_that_was_sent_twice_and_removed_is_still_looked_for(stagehands: Engine) -> None:
    """The line is there, sent again, when the quote drops it; its first sending is applied after that."""
    quote = _events({"lines": [LINE]}, {})
    script = _script(quote, Order("late_apply", path="/lineItems/", seconds=VERY_LATE), every=300)
    play = await _play(stagehands, script)
    assert sum(call.method == "DELETE" for call in play.world.calls) == 2


async def test_a_duplicate_that_looking_would_have_prevented_is_found_out(
    stagehands: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find_nothing(*_: object) -> list[Json]:
        return []

    monkeypatch.setattr("app.sync.creates.look", find_nothing)
    with pytest.raises(SimulationError, match=r"though .* was there to be found"):
        await _play(stagehands, _script(_events({}), Order("drop_after", path="/crm/opportunities$")))
