from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import respx

from app import kaseya
from app.kaseya import Transport

OPPORTUNITIES = "/v2/crm/opportunities"


def envelope(result: Any, **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"success": True, "result": result, **more})


async def create(transport: Transport) -> Any:
    return await transport.request("POST", OPPORTUNITIES, json={"Subject": "x"}, creates=True)


async def read(transport: Transport) -> Any:
    return await transport.request("GET", OPPORTUNITIES)


async def test_a_result_comes_without_envelope_and_with_keys_in_lower_case(
    bms: respx.MockRouter, transport: Transport
) -> None:
    bms.get(OPPORTUNITIES).respond(json={"Success": True, "Result": {"AccountName": "A"}})
    assert await read(transport) == {"accountname": "A"}


async def test_success_false_under_200_is_a_rejection_even_of_a_write(
    bms: respx.MockRouter, transport: Transport
) -> None:
    bms.post(OPPORTUNITIES).respond(json={"success": False, "error": {"code": 7, "message": "m", "details": "d"}})
    with pytest.raises(kaseya.KaseyaRejectedError) as caught:
        await create(transport)
    assert (caught.value.status, caught.value.code) == (200, 7)
    assert str(caught.value) == "BMS refused POST /v2/crm/opportunities: d"


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
async def test_a_write_answered_with_a_server_error_is_ambiguous_and_not_repeated(
    bms: respx.MockRouter, transport: Transport, status: int
) -> None:
    route = bms.post(OPPORTUNITIES).respond(status)
    with pytest.raises(kaseya.KaseyaAmbiguousError):
        await create(transport)
    assert route.call_count == 1


@pytest.mark.parametrize("fault", [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError])
async def test_a_write_whose_answer_is_lost_is_ambiguous_and_not_repeated(
    bms: respx.MockRouter, transport: Transport, fault: type[httpx.TransportError]
) -> None:
    route = bms.post(OPPORTUNITIES).mock(side_effect=fault)
    with pytest.raises(kaseya.KaseyaAmbiguousError):
        await create(transport)
    assert route.call_count == 1


@pytest.mark.parametrize(
    "body", [b'{"success": true, "result": {"id": 1', b"<html>", b'{"success": true, "result": {}}']
)
async def test_a_create_whose_answer_names_no_record_is_ambiguous(
    bms: respx.MockRouter, transport: Transport, body: bytes
) -> None:
    bms.post(OPPORTUNITIES).respond(content=body)
    with pytest.raises(kaseya.KaseyaAmbiguousError):
        await create(transport)


@pytest.mark.parametrize("fault", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_a_call_that_found_no_connection_is_tried_three_times_even_a_write(
    bms: respx.MockRouter, transport: Transport, fault: type[httpx.TransportError], naps: list[float]
) -> None:
    route = bms.post(OPPORTUNITIES).mock(side_effect=fault)
    with pytest.raises(kaseya.KaseyaUnreachableError):
        await create(transport)
    assert route.call_count == 3
    assert naps == [0.25, 0.5]


async def test_a_read_is_repeated_and_every_try_passes_the_gate(
    bms: respx.MockRouter, transport: Transport, gate: Any
) -> None:
    bms.get(OPPORTUNITIES).mock(side_effect=[httpx.Response(500), httpx.ReadTimeout, envelope([])])
    assert await read(transport) == []
    assert [answer.outcome for answer in gate.answers] == ["transient", "transient", "ok"]
    assert [call.number for call in gate.calls] == [1, 2, 3]


async def test_a_read_that_makes_no_sense_is_a_contract_error(bms: respx.MockRouter, transport: Transport) -> None:
    bms.get(OPPORTUNITIES).respond(content=b"<html>")
    with pytest.raises(kaseya.KaseyaContractError):
        await read(transport)


async def test_a_404_is_not_found(bms: respx.MockRouter, transport: Transport) -> None:
    bms.get(OPPORTUNITIES).respond(404)
    with pytest.raises(kaseya.KaseyaNotFoundError):
        await read(transport)


async def test_a_redirect_is_not_followed(bms: respx.MockRouter, transport: Transport) -> None:
    bms.get(OPPORTUNITIES).respond(302, headers={"Location": "https://elsewhere.example/"})
    with pytest.raises(kaseya.KaseyaRejectedError, match="redirect"):
        await read(transport)


@pytest.mark.parametrize(
    ("status", "header", "pause"),
    [
        (429, "17", timedelta(seconds=17)),
        (429, "Sat, 01 Aug 2026 12:01:00 GMT", timedelta(seconds=60)),
        (429, "Sat, 01 Aug 2026 11:00:00 GMT", timedelta(0)),
        (429, "99999999999999999999", timedelta(days=1)),
        (429, "soon", None),
        (429, None, None),
    ],
)
async def test_a_throttled_call_tells_how_long_to_wait(
    bms: respx.MockRouter, transport: Transport, status: int, header: str | None, pause: timedelta | None
) -> None:
    route = bms.post(OPPORTUNITIES).respond(status, headers={"Retry-After": header} if header else {})
    with pytest.raises(kaseya.KaseyaThrottledError) as caught:
        await create(transport)
    assert (caught.value.retry_after, caught.value.is_away) == (pause, False)
    assert route.call_count == 1


async def test_a_read_that_bms_is_out_of_service_for_waits_as_long_as_bms_says(
    bms: respx.MockRouter, transport: Transport
) -> None:
    route = bms.get(OPPORTUNITIES).respond(503, headers={"Retry-After": "5"})
    with pytest.raises(kaseya.KaseyaThrottledError) as caught:
        await read(transport)
    assert (caught.value.retry_after, caught.value.is_away) == (timedelta(seconds=5), True)
    assert route.call_count == 1


@pytest.mark.parametrize(("header", "pause"), [("5", timedelta(seconds=5)), (None, None)])
async def test_a_write_answered_with_503_may_have_been_applied_even_if_bms_says_when_to_come_back(
    bms: respx.MockRouter, transport: Transport, header: str | None, pause: timedelta | None
) -> None:
    """A gateway says it too, when BMS behind it was slower than its patience."""
    route = bms.post(OPPORTUNITIES).respond(503, headers={"Retry-After": header} if header else {})
    with pytest.raises(kaseya.KaseyaAmbiguousError) as caught:
        await create(transport)
    assert caught.value.retry_after == pause
    assert route.call_count == 1


async def test_what_the_gate_raises_comes_through_untouched_and_nothing_is_sent(
    bms: respx.MockRouter, transport: Transport, gate: Any
) -> None:
    route = bms.get(OPPORTUNITIES).respond(json={})
    gate.refusal = kaseya.KaseyaTransientError("the breaker is open")
    with pytest.raises(kaseya.KaseyaTransientError) as caught:
        await read(transport)
    assert caught.value is gate.refusal
    assert len(gate.calls) == 1
    assert not route.called


async def test_a_write_past_its_last_moment_is_not_sent(bms: respx.MockRouter, transport: Transport, gate: Any) -> None:
    route = bms.post(OPPORTUNITIES).respond(json={})
    gate.not_after = 0.0
    with pytest.raises(kaseya.KaseyaTransientError, match="not sent"):
        await create(transport)
    assert not route.called
    assert [answer.outcome for answer in gate.answers] == ["unsent"]


async def collect(transport: Transport) -> list[list[Any]]:
    return [page async for page in transport.request_paged("GET", OPPORTUNITIES)]


async def test_paging_starts_at_one_and_ends_at_a_short_page(bms: respx.MockRouter, transport: Transport) -> None:
    route = bms.get(OPPORTUNITIES).mock(side_effect=[envelope(list(range(100))), envelope([1, 2])])
    assert [len(page) for page in await collect(transport)] == [100, 2]
    assert [call.request.url.params["PageNumber"] for call in route.calls] == ["1", "2"]
    assert route.calls[0].request.url.params["PageSize"] == "100"


async def test_paging_ends_at_the_total_where_one_is_told(bms: respx.MockRouter, transport: Transport) -> None:
    route = bms.get(OPPORTUNITIES).mock(
        side_effect=[envelope(list(range(50)), totalRecords=100), envelope(list(range(50, 100)), totalRecords=100)]
    )
    assert [len(page) for page in await collect(transport)] == [50, 50]
    assert route.call_count == 2


async def test_an_endpoint_that_ignores_the_page_number_does_not_run_forever(
    bms: respx.MockRouter, transport: Transport
) -> None:
    bms.get(OPPORTUNITIES).mock(side_effect=lambda _: envelope(list(range(100))))
    assert len(await collect(transport)) == 1


async def test_a_search_by_post_is_a_read(bms: respx.MockRouter, transport: Transport, gate: Any) -> None:
    bms.post("/v2/admin/finance/services/search").mock(side_effect=[httpx.ReadTimeout, envelope([])])
    assert await transport.request("POST", "/v2/admin/finance/services/search", json={}) == []
    assert not gate.calls[0].is_write


@pytest.mark.parametrize("value", ["", ".", ".."])
async def test_a_path_value_cannot_climb(transport: Transport, value: str) -> None:
    with pytest.raises(ValueError, match="dot segment"):
        await transport.request("GET", "/v2/system/lookup/{tableName}", path={"tableName": value})


async def test_a_path_value_stays_one_segment(bms: respx.MockRouter, transport: Transport) -> None:
    route = bms.get(url__regex=".*lookup/a%2F..%3Fb$").respond(json={"success": True, "result": []})
    await transport.request("GET", "/v2/system/lookup/{tableName}", path={"tableName": "a/..?b"})
    assert route.called


def test_a_base_url_that_is_not_allowed_is_refused_at_once(make_transport: Callable[..., Transport]) -> None:
    with pytest.raises(kaseya.KaseyaHostRefusedError):
        make_transport(base_url="https://evil.example")
