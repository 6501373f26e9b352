"""The one door to BMS: an authorised call in, its unwrapped result or a typed error out."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from string import Formatter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from app.kaseya.answers import UnauthorizedError
from app.kaseya.envelope import Envelope, Json
from app.kaseya.errors import KaseyaContractError, KaseyaRejectedError, KaseyaTransientError
from app.kaseya.transport.session import FormEncoding, Session
from app.kaseya.transport.tries import TRIES, Request, Tries

if TYPE_CHECKING:
    from app.kaseya.transport.gate import CallGate
    from app.kaseya.transport.tokens import Credentials, Token, TokenStore
    from app.kaseya.transport.wire import Wire

PAGE_SIZE = 100
KNOCKS = ("/v2/system/settings", "/v2/security/userinfo", "/v2/system/accounttypes/lookup")
"""What a knock asks for, in turn: each endpoint has a budget of its own, and no quote needs these."""
KNOCK_WITHIN = timedelta(seconds=10)

_REDIRECTS = range(300, 400)
_NOTHING: Mapping[str, Any] = {}


def utc_now() -> datetime:
    """Read the machine's clock."""
    return datetime.now(UTC)


class Transport:
    """One connection's way to BMS. Raises KaseyaHostRefusedError at once where the base URL is not allowed.

    `timeout` is for one try, from waiting for a connection to the last byte. Reads, and calls for which no connection
    came about, are tried up to three times within two seconds; everything else is the caller's to repeat.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        base_url: str,
        credentials: Credentials,
        tokens: TokenStore,
        gate: CallGate,
        form_encoding: FormEncoding = "multipart",
        timeout: timedelta = timedelta(seconds=30),
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._tries = Tries(
            wire, base_url=base_url, gate=gate, timeout=timeout, clock=clock, monotonic=monotonic, sleep=sleep
        )
        self._session = Session(self._tries, credentials=credentials, tokens=tokens, form_encoding=form_encoding)
        self._knocks = itertools.cycle(KNOCKS)

    def behind(self, gate: CallGate, *, tries: int = TRIES) -> Transport:
        """Return a door to the same BMS whose calls pass another gate; both share one sign-in, which passes ours."""
        door = copy(self)
        door._tries = self._tries.behind(gate, most=tries)  # noqa: SLF001 - our own copy
        return door

    async def request(
        self,
        method: str,
        template: str,
        *,
        path: Mapping[str, object] = _NOTHING,
        query: Mapping[str, object] = _NOTHING,
        json: Json = None,
        files: Json = None,
        creates: bool = False,
    ) -> Json:
        """Return the result with its envelope off and its keys in lower case; None where BMS gives none.

        `template` is the vendor's own path, `path` fills it. `creates` makes a result without an id a
        KaseyaAmbiguousError. Raises KaseyaError, and whatever the gate raises.
        """
        request = _prepare(method, template, path=path, query=query, json=json, files=files, creates=creates)
        return (await self._authorized(request)).result

    async def request_paged(
        self,
        method: str,
        template: str,
        *,
        path: Mapping[str, object] = _NOTHING,
        query: Mapping[str, object] = _NOTHING,
        json: Mapping[str, object] | None = None,
        max_pages: int | None = None,
    ) -> AsyncIterator[list[Json]]:
        """Yield page after page of a list, 100 records each; a search by POST is paged in its body.

        Ends at the announced total, or at a short page where none is announced, or at a page that repeats the one
        before: an endpoint that ignores the page number would never end. Raises as `request` does.
        """
        seen, last, number = 0, None, 0
        while max_pages is None or number < max_pages:
            number += 1
            paging = {"PageSize": PAGE_SIZE, "PageNumber": number}
            envelope = await self._authorized(
                _prepare(method, template, path=path, query=query, json={**json, **paging})
                if json is not None
                else _prepare(method, template, path=path, query={**query, **paging})
            )
            page = _records(envelope, f"{method} {template}")
            if not page or page == last:
                return
            yield page
            seen, last, total = seen + len(page), page, envelope.total_records
            if (len(page) < PAGE_SIZE) if total is None else (seen >= total):
                return

    async def knock(self) -> None:
        """Ask once, without a token, whether BMS is there at all; that it refuses a stranger shows that it is.

        Raises KaseyaTransientError where nobody answers, or something else does in BMS's place: a failing gateway, a
        page that announces maintenance, a redirect to one.
        """
        template = next(self._knocks)
        request = Request("GET", template, template, is_write=False, tries=1, within=KNOCK_WITHIN)
        try:
            await self._tries.call(request)
        except KaseyaRejectedError as error:
            if error.status in _REDIRECTS:
                raise KaseyaTransientError(error.message, endpoint=error.endpoint) from None
        except KaseyaContractError as error:
            raise KaseyaTransientError(error.message, endpoint=error.endpoint) from None

    async def sign_in(self) -> Token:
        """Sign in now, whatever token is held; raises KaseyaCredentialsError where BMS refuses."""
        return await self._session.sign_in()

    async def _authorized(self, request: Request) -> Envelope:
        """Send with a token; refused, get another from each source there is, and send again with it."""
        token = await self._session.token()
        for may_refresh in (True, False):
            try:
                return await self._tries.call(_with_token(request, token))
            except UnauthorizedError:
                token = await self._session.renew(token, may_refresh=may_refresh)
        try:
            return await self._tries.call(_with_token(request, token))
        except UnauthorizedError as error:
            message = f"{error.message} The sign-in itself works: the API user probably lacks the right for this."
            raise KaseyaRejectedError(
                message, status=error.status, code=error.code, details=error.details, endpoint=error.endpoint
            ) from None


def fill(template: str, path: Mapping[str, object]) -> str:
    """Put values into a path template, each as one segment whatever it contains. Raises ValueError, KeyError."""
    segments = {name: str(path[name]) for _, name, _, _ in Formatter().parse(template) if name}
    if any(segment in ("", ".", "..") for segment in segments.values()):
        message = f"A value for {template} is empty or a dot segment."
        raise ValueError(message)
    return template.format(**{name: quote(segment, safe="") for name, segment in segments.items()})


def is_write(method: str, template: str) -> bool:
    """Tell whether a call changes BMS; a search by POST does not."""
    return method != "GET" and not (method == "POST" and template.endswith("/search"))


def _prepare(
    method: str,
    template: str,
    *,
    path: Mapping[str, object],
    query: Mapping[str, object],
    json: Json = None,
    files: Json = None,
    creates: bool = False,
) -> Request:
    parts: dict[str, Any] = {"params": _query(query)}
    if json is not None:
        parts["json"] = json
    if files is not None:
        parts["files"] = files
    return Request(
        method, template, fill(template, path), is_write=is_write(method, template), creates=creates, parts=parts
    )


def _with_token(request: Request, token: Token) -> Request:
    headers = {"Authorization": f"Bearer {token.access}", "Accept": "application/json"}
    return replace(request, parts={**request.parts, "headers": headers})


def _query(query: Mapping[str, object]) -> list[tuple[str, str]]:
    """Spell a query as ASP.NET reads it: lists repeat the name, None is left out."""
    pairs = []
    for name, value in query.items():
        values = value if isinstance(value, list | tuple | set | frozenset) else [value]
        pairs += [(name, _text(each)) for each in values if each is not None]
    return pairs


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def _records(envelope: Envelope, endpoint: str) -> list[Json]:
    if envelope.result is None:
        return []
    if not isinstance(envelope.result, list):
        message = f"The answer of BMS to {endpoint} cannot be understood: it is not a list."
        raise KaseyaContractError(message, endpoint=endpoint)
    return envelope.result
