"""A sign-in that BMS refuses: one hiccup is survived, the second refusal stops before the user is locked."""

from tests.fixtures.engine import Engine, eventually, in_extended
from tests.fixtures.management import SANDBOX_SIGN_IN
from tests.reliability.conftest import made, whole

SIGN_IN, REFRESH = "/v2/security/authenticate", "/v2/security/refreshtoken"


def refuse(engine: Engine, *, times: int | None) -> None:
    """Let the token expire, and refuse to give another."""
    for template in (SIGN_IN, REFRESH):
        engine.bms.fault("success_false", method="POST", template=template, times=times)
    engine.bms.fault("expired_token", times=times)


@in_extended
async def test_one_refused_sign_in_is_tried_once_more_and_forgotten(eager: Engine) -> None:
    refuse(eager, times=1)
    quote = await eager.synced(whole())
    assert quote["kaseya"]["opportunity_id"]
    assert (await eager.call("GET", eager.path))["state"] == "active"
    refuse(eager, times=1)
    await eager.synced(whole("updated", totals={"one_time": "1700.00"}))
    assert (await eager.call("GET", eager.path))["state"] == "active", "each hiccup stands alone"


@in_extended
async def test_refused_credentials_stop_the_connection_until_they_are_mended(eager: Engine) -> None:
    eager.bms.forget_calls()
    refuse(eager, times=None)
    for number in range(3):
        await eager.accepted(whole(quote_id=f"q-{number}"))

    async def stopped() -> bool:
        return bool((await eager.call("GET", eager.path))["state"] == "credentials_rejected")

    await eventually(stopped)
    (issue,) = await eager.issues()
    assert (issue["code"], issue["quote_id"]) == ("kaseya-credentials-rejected", None)
    sign_ins = [call for call in eager.bms.calls() if call["template"] == SIGN_IN]
    assert len(sign_ins) <= 3, "the user would soon be locked"
    assert made(eager.bms) == {}
    eager.bms.clear_faults()
    await eager.call("PATCH", eager.path, json={"password": SANDBOX_SIGN_IN["password"]})
    for number in range(3):
        assert (await eager.settled(f"q-{number}"))["state"] == "synced"
    assert made(eager.bms)["opportunities"] == 3
    assert await eager.issues() == []
