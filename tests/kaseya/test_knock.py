"""A knock: one call without a token that tells whether BMS is there at all."""

from typing import Any

import httpx
import pytest
import respx

from app import kaseya
from app.kaseya import OpenGate, Transport
from app.kaseya.transport.door import KNOCKS


@pytest.fixture
def knocked_at(bms: respx.MockRouter) -> respx.Route:
    return bms.get(path__in=KNOCKS)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401),
        httpx.Response(403),
        httpx.Response(404),
        httpx.Response(200, json={"success": False, "error": {"code": 978001}}),
        httpx.Response(200, json={"success": True, "result": []}),
    ],
)
async def test_whatever_bms_says_to_a_stranger_shows_that_it_is_there(
    transport: Transport, knocked_at: respx.Route, answer: httpx.Response
) -> None:
    knocked_at.mock(return_value=answer)
    await transport.knock()
    assert knocked_at.call_count == 1
    assert "authorization" not in knocked_at.calls.last.request.headers


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(503),
        httpx.Response(302, headers={"Location": "https://maintenance.example/"}),
        httpx.Response(200, content=b"<html>Back soon</html>"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("silence"),
    ],
)
async def test_what_answers_in_the_place_of_bms_is_not_bms_and_is_asked_once(
    transport: Transport, knocked_at: respx.Route, naps: list[float], answer: Any
) -> None:
    knocked_at.mock(side_effect=[answer])
    with pytest.raises(kaseya.KaseyaTransientError):
        await transport.knock()
    assert (knocked_at.call_count, naps) == (1, [])


async def test_knocks_take_turns_at_endpoints_and_pass_the_gate(
    bms: respx.MockRouter, transport: Transport, knocked_at: respx.Route, gate: Any
) -> None:
    knocked_at.respond(401)
    for _ in range(2 * len(KNOCKS)):
        await transport.behind(gate).knock()
    assert [call.template for call in gate.calls] == [*KNOCKS, *KNOCKS]


async def test_behind_a_gate_for_one_try_even_a_read_is_not_repeated(
    bms: respx.MockRouter, transport: Transport
) -> None:
    route = bms.get("/v2/crm/opportunities").respond(500)
    with pytest.raises(kaseya.KaseyaTransientError):
        await transport.behind(OpenGate(), tries=1).request("GET", "/v2/crm/opportunities")
    assert route.call_count == 1
