import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx

from app import kaseya
from app.kaseya import Credentials, MemoryTokens, Token, Transport, totp

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
SIGN_IN = "/v2/security/authenticate"
REFRESH = "/v2/security/refreshtoken"
WHO = "/v2/security/userinfo"
REFUSED = {"success": False, "error": {"code": 978001, "message": "Security Error"}}
Grant = Callable[..., httpx.Response]


def only_for(token: str) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] == f"Bearer {token}":
            return httpx.Response(200, json={"success": True, "result": {"userId": 1}})
        return httpx.Response(401, json=REFUSED)

    return answer


async def test_many_callers_with_an_expired_token_make_one_refresh(
    bms: respx.MockRouter, transport: Transport, granted: Grant
) -> None:
    refresh = bms.post(REFRESH).mock(return_value=granted())
    sign_in = bms.post(SIGN_IN)
    bms.get(WHO).mock(side_effect=only_for("second"))
    await asyncio.gather(*(transport.request("GET", WHO) for _ in range(20)))
    assert refresh.call_count == 1
    assert not sign_in.called


async def test_a_refused_refresh_falls_back_to_one_sign_in(
    bms: respx.MockRouter, transport: Transport, granted: Grant
) -> None:
    bms.post(REFRESH).respond(401, json=REFUSED)
    sign_in = bms.post(SIGN_IN).mock(return_value=granted())
    bms.get(WHO).mock(side_effect=only_for("second"))
    await transport.request("GET", WHO)
    assert sign_in.call_count == 1


async def test_a_wrong_password_is_tried_once_however_many_wait(
    bms: respx.MockRouter, make_transport: Callable[..., Transport]
) -> None:
    async def refuse(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)  # lets the others arrive while this one is on its way, as a network does
        return httpx.Response(401, json=REFUSED, request=request)

    sign_in = bms.post(SIGN_IN).mock(side_effect=refuse)
    transport = make_transport(tokens=MemoryTokens())
    outcomes = await asyncio.gather(*(transport.request("GET", WHO) for _ in range(20)), return_exceptions=True)
    assert {type(each) for each in outcomes} == {kaseya.KaseyaCredentialsError}
    assert sign_in.call_count == 1


async def test_a_token_that_another_process_stored_is_used_before_any_refresh(
    bms: respx.MockRouter, transport: Transport, tokens: MemoryTokens
) -> None:
    refresh = bms.post(REFRESH)
    bms.get(WHO).mock(side_effect=only_for("theirs"))
    bms.get("/v2/system/settings").mock(side_effect=only_for("first"))
    await transport.request("GET", "/v2/system/settings")
    await tokens.save(Token("theirs", "x"))
    await transport.request("GET", WHO)
    assert not refresh.called


async def test_a_call_refused_with_every_token_is_a_rejection_not_a_loop(
    bms: respx.MockRouter, transport: Transport, granted: Grant
) -> None:
    bms.post(REFRESH).mock(return_value=granted())
    sign_in = bms.post(SIGN_IN).mock(return_value=granted("third"))
    bms.get(WHO).respond(401, json=REFUSED)
    with pytest.raises(kaseya.KaseyaRejectedError, match="lacks the right"):
        await transport.request("GET", WHO)
    assert sign_in.call_count == 1


@pytest.mark.parametrize("expires", ["2026-08-01T07:00:00", None, "rubbish"])
async def test_an_expiry_that_is_already_past_is_not_believed(
    bms: respx.MockRouter, make_transport: Callable[..., Transport], granted: Grant, expires: str | None
) -> None:
    sign_in = bms.post(SIGN_IN).mock(return_value=granted("second", expires))
    bms.get(WHO).mock(side_effect=only_for("second"))
    transport = make_transport(tokens=MemoryTokens())
    await transport.request("GET", WHO)
    await transport.request("GET", WHO)
    assert sign_in.call_count == 1


async def test_a_token_is_renewed_a_minute_before_it_expires(
    bms: respx.MockRouter, make_transport: Callable[..., Transport], granted: Grant
) -> None:
    now = [NOW]
    transport = make_transport(clock=lambda: now[0])
    bms.get(WHO).respond(json={"success": True, "result": {}})
    refresh = bms.post(REFRESH).mock(return_value=granted(expires="2026-08-01T15:00:00Z"))
    await transport.request("GET", WHO)
    now[0] += timedelta(minutes=59)
    await transport.request("GET", WHO)
    assert refresh.call_count == 1


@pytest.mark.parametrize(
    ("encoding", "kind"), [("multipart", "multipart/form-data"), ("urlencoded", "application/x-www")]
)
async def test_the_sign_in_is_encoded_as_set(
    bms: respx.MockRouter, make_transport: Callable[..., Transport], granted: Grant, encoding: str, kind: str
) -> None:
    route = bms.post(SIGN_IN).mock(return_value=granted())
    await make_transport(form_encoding=encoding).sign_in()
    request = route.calls.last.request
    assert request.headers["Content-Type"].startswith(kind)
    assert all(name in request.content for name in (b"GrantType", b"UserName", b"Password", b"Tenant"))


async def test_a_sign_in_carries_the_code_of_the_moment(
    bms: respx.MockRouter, make_transport: Callable[..., Transport], granted: Grant
) -> None:
    route = bms.post(SIGN_IN).mock(return_value=granted())
    who = Credentials("Example MSP", "u", "p", "GEZDGNBVGY3TQOJQ")
    await make_transport(credentials=who).sign_in()
    assert totp("GEZDGNBVGY3TQOJQ", at=NOW).encode() in route.calls.last.request.content


async def test_a_sign_in_that_asks_for_a_code_says_so(bms: respx.MockRouter, transport: Transport) -> None:
    bms.post(SIGN_IN).respond(json={"success": False, "error": {"message": "MFA code required"}})
    with pytest.raises(kaseya.KaseyaMfaRequiredError):
        await transport.sign_in()


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "94287082"), (1111111109, "07081804"), (1234567890, "89005924"), (20000000000, "65353130")],
)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert totp("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", at=at, digits=8) == code


def test_no_repr_shows_a_secret() -> None:
    shown = repr((Credentials("c", "hidden", "hidden", "hidden"), Token("hidden", "hidden")))
    assert "hidden" not in shown


async def test_no_error_or_answer_shows_a_secret(bms: respx.MockRouter, transport: Transport, gate: Any) -> None:
    bms.post(SIGN_IN).mock(side_effect=httpx.ReadTimeout)
    with pytest.raises(kaseya.KaseyaTransientError) as caught:
        await transport.sign_in()
    assert "hunter2" not in f"{caught.value!r}{gate.calls}{gate.answers}"
