"""The quote's status moves the opportunity's, by the mapping of the settings."""

import pytest

from tests.fixtures.engine import Engine, event, in_extended, working
from tests.fixtures.sandbox import Sandbox

pytestmark = in_extended


@pytest.fixture
async def stages(engine: Engine) -> Engine:
    """A tenant with a status of its own for every stage."""
    for name in ("Ordered", "Fulfilled"):
        engine.bms.create("statuses", name=name, probability=100.0)
    known = {row["name"]: str(row["id"]) for row in engine.bms.state()["statuses"]}
    await engine.configure(status_mapping={"ordered": known["Ordered"], "fulfilled": known["Fulfilled"]})
    return engine


def status_of(engine: Engine) -> str:
    names = {row["id"]: row["name"] for row in engine.bms.state()["statuses"]}
    return str(names[engine.opportunity()["statusId"]])


async def test_won_stages_move_the_opportunity_on(stages: Engine) -> None:
    await stages.synced(event())
    for status, expected in (("accepted", "Won"), ("ordered", "Ordered"), ("fulfilled", "Fulfilled")):
        await stages.synced(event("won", status=status))
        assert status_of(stages) == expected


async def test_a_won_quote_never_moves_back_a_stage(stages: Engine) -> None:
    await stages.synced(event("won", status="fulfilled"))
    await stages.synced(event("won", status="accepted", totals={"one_time": "400.00"}))
    assert status_of(stages) == "Fulfilled"
    assert stages.opportunity()["amount"] == 400.0


async def test_ordered_and_fulfilled_are_accepted_where_the_settings_do_not_tell_them_apart(engine: Engine) -> None:
    await engine.synced(event("won", status="accepted"))
    engine.bms.forget_calls()
    await engine.synced(event("won", status="ordered"))
    await engine.synced(event("won", status="fulfilled"))
    assert status_of(engine) == "Won"
    assert engine.writes() == []


async def test_won_carries_the_amount_and_the_statuss_probability(engine: Engine) -> None:
    await engine.synced(event())
    await engine.synced(event("won", totals={"one_time": "4065.00"}))
    made = engine.opportunity()
    assert (made["statusId"], made["amount"], made["probability"]) == (103, 4065.0, 100.0)


async def test_lost_carries_the_amount_and_the_statuss_probability(engine: Engine) -> None:
    await engine.synced(event())
    await engine.synced(event("lost", totals={"one_time": "4065.00"}))
    made = engine.opportunity()
    assert (made["statusId"], made["amount"], made["probability"]) == (104, 4065.0, 0.0)


async def test_the_probability_is_the_statuss_own_unscaled(engine: Engine) -> None:
    engine.bms.change("statuses", 102, probability=0.35)
    await engine.synced(event())
    assert engine.opportunity()["probability"] == 0.35


async def test_a_newer_pending_reopens_a_decided_quote(engine: Engine) -> None:
    await engine.synced(event("won"))
    await engine.synced(event("updated"))
    assert status_of(engine) == "Quoted"


async def test_a_newer_won_wins_over_lost(engine: Engine) -> None:
    await engine.synced(event("lost"))
    await engine.synced(event("won"))
    assert status_of(engine) == "Won"


async def test_an_older_event_changes_nothing(engine: Engine) -> None:
    older = event("updated", totals={"one_time": "1.00"})
    await engine.synced(event("won"))
    await engine.accepted(older)
    assert (await engine.settled())["generation"] == 1
    assert await engine.dispositions() == ["applied", "superseded"]
    assert (status_of(engine), engine.opportunity()["amount"]) == ("Won", 350.0)


@pytest.mark.parametrize("kind", ["won", "lost"])
async def test_a_decision_waits_for_no_debounce(clean_database: str, bms: Sandbox, contract: str, kind: str) -> None:
    """The pause of updates is longer here than any test waits."""
    bms.settings(contract=contract)
    async with working(clean_database, bms, debounce_quiet_seconds=600, debounce_max_seconds=600) as engine:
        await engine.connect()
        await engine.configure()
        await engine.synced(event())
        await engine.accepted(event("updated", totals={"one_time": "351.00"}))
        quote = await engine.quote()
        assert (quote["state"], quote["synced_generation"]) == ("pending", 1)
        await engine.synced(event(kind, totals={"one_time": "352.00"}))
        assert engine.opportunity()["amount"] == 352.0
