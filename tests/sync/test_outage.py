"""BMS being away is no error of an event: it waits, and goes through when BMS is back."""

from tests.fixtures.engine import Engine, event, in_extended

pytestmark = in_extended


async def test_an_event_that_comes_while_bms_is_down_goes_through_when_it_is_back(engine: Engine) -> None:
    with engine.bms.down():
        await engine.accepted(event())
        quote = await engine.in_state("retrying")
        assert quote["last_error"]
        assert await engine.issues() == []
    quote = await engine.settled()
    assert quote["state"] == "synced"
    assert (quote["attempts"], quote["last_error"]) == (0, None)
    assert engine.opportunity()["amount"] == 350.0
    assert await engine.dispositions() == ["applied"]
