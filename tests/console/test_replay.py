import re
from typing import Any

import pytest
from sqlalchemy import select, update

from app.db.tables import Quote
from tests.console.conftest import Browser
from tests.console.test_watching import accept, address, event

__all__ = ["address"]


async def three(operator: Browser, address: str) -> None:
    """Three quotes at rest, one of which waits for a person."""
    for number in (1, 2, 3):
        await accept(operator, address, event(f"q-{number}", number=f"200{number}"), webhook_id=f"msg_{number}")
    async with operator.house.database.transaction() as session:
        await session.execute(update(Quote).values(state="synced", due_at=None))
        await session.execute(update(Quote).where(Quote.quote_id == "q-2").values(state="parked"))


async def due(operator: Browser) -> list[str]:
    async with operator.house.database.transaction() as session:
        return list(
            await session.scalars(select(Quote.quote_id).where(Quote.due_at.is_not(None)).order_by(Quote.due_at))
        )


def sync_form(page: str) -> dict[str, str]:
    """What the form sends that says how many quotes are synced."""
    form = next(each for each in page.split("<form") if 'value="sync"' in each)
    return {**dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)), "do": "sync"}


async def test_many_are_counted_first_and_then_synced_again_one_after_the_other(
    operator: Browser, address: str
) -> None:
    await three(operator, address)
    counted = await operator.post(f"{address}/replay", do="count", search="200")
    assert counted.status_code == 200
    assert "3 quotes fit" in counted.text
    assert await due(operator) == []

    page = await operator.follow(await operator.send(f"{address}/replay", sync_form(counted.text)))

    assert "3 quotes are synced again, two a second." in page
    assert await due(operator) == ["q-1", "q-2", "q-3"]


async def test_the_list_of_quotes_leads_to_those_that_it_shows(operator: Browser, address: str) -> None:
    await three(operator, address)
    page = await operator.read(f"{address}/quotes", state="parked", search="200")
    link = re.search(r'href="([^"]+/replay\?[^"]+)"', page)
    assert link is not None

    page = await operator.read(link[1])
    assert "1 quote fits" in page
    assert "1 quote is synced again" in await operator.follow(await operator.send(f"{address}/replay", sync_form(page)))
    assert await due(operator) == ["q-2"]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, "You have chosen nothing, so these are all quotes"),
        ({"quote_ids": "q-1,\nq-3 q-9"}, "2 quotes fit"),
        ({"received_after": "2020-01-01T00:00"}, "3 quotes fit"),
        ({"received_before": "2020-01-01T00:00"}, "No quote fits"),
        ({"state": "parked", "quote_ids": "q-1"}, "No quote fits"),
    ],
)
async def test_all_that_is_filled_in_has_to_be_met(
    operator: Browser, address: str, fields: dict[str, Any], found: str
) -> None:
    await three(operator, address)

    assert found in (await operator.post(f"{address}/replay", do="count", **fields)).text


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("received_after", "yesterday", "Write a time like"),
        ("received_before", "0001-01-01T00:00+14:00", "Write a time like"),
        ("quote_ids", "q " * 1001, "more than 1,000 ids"),
    ],
)
@pytest.mark.parametrize("do", ["count", "sync"])
async def test_what_cannot_be_understood_is_said_beside_its_field_and_nothing_is_synced(
    operator: Browser, address: str, name: str, value: str, said: str, do: str
) -> None:
    await three(operator, address)

    answer = await operator.send(f"{address}/replay", {"do": do, name: value})

    assert answer.status_code == 422
    assert said in answer.text
    assert await due(operator) == []


async def test_it_says_that_a_paused_connection_waits(operator: Browser, address: str) -> None:
    await three(operator, address)
    await operator.post(f"{address}/pause")

    assert "they wait until you resume it" in await operator.read(f"{address}/replay", state="synced")
