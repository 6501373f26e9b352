"""One call as up to three tries: each passes the gate, only what is safe to repeat is repeated."""

from __future__ import annotations

import itertools
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt, wait_exponential

from app.kaseya.answers import not_understood, read_answer, unanswered
from app.kaseya.envelope import Envelope
from app.kaseya.errors import KaseyaError, KaseyaHostRefusedError, KaseyaTransientError, KaseyaUnreachableError
from app.kaseya.transport.gate import Answer, Call, CallGate
from app.kaseya.transport.wire import OverdueError, OversizedError, UnansweredError, UnsentError, Wire, WireAnswer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tenacity import RetryCallState

TRIES = 3
FIRST_PAUSE = timedelta(milliseconds=250)


@dataclass(frozen=True, slots=True)
class Request:
    """One call, ready to send. `parts` are the wire's: query, body, headers (kept out of every repr).

    `within` is for a try that must be answered sooner than others.
    """

    method: str
    template: str
    path: str
    is_write: bool
    creates: bool = False
    tries: int = TRIES
    within: timedelta | None = None
    parts: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def endpoint(self) -> str:
        """Method and path template."""
        return f"{self.method} {self.template}"


class Tries:
    """Sends requests to one BMS server through one gate."""

    def __init__(
        self,
        wire: Wire,
        *,
        base_url: str,
        gate: CallGate,
        timeout: timedelta,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.clock = clock
        self._wire = wire
        self._base_url = wire.hosts.check_base_url(base_url)
        self._gate = gate
        self._timeout = timeout
        self._monotonic = monotonic
        self._sleep = sleep
        self._most = TRIES
        self._numbers = itertools.count(1)

    def behind(self, gate: CallGate, *, most: int = TRIES) -> Tries:
        """Return the same way to BMS behind another gate, which counts from 1; no call has more tries than `most`."""
        tries = copy(self)
        tries._gate, tries._most, tries._numbers = gate, most, itertools.count(1)  # noqa: SLF001 - our own copy
        return tries

    async def call(self, request: Request) -> Envelope:
        """Return the opened answer, or raise the KaseyaError of the last try. What the gate raises passes through."""
        retrying = AsyncRetrying(
            sleep=self._sleep,
            stop=stop_after_attempt(min(request.tries, self._most)),
            wait=wait_exponential(multiplier=FIRST_PAUSE.total_seconds()),
            retry=retry_if_result(_is_repeatable),
            retry_error_callback=_last,
        )
        settled: Envelope | KaseyaError = await retrying(self._try, request)
        if isinstance(settled, KaseyaError):
            raise settled
        return settled

    async def _try(self, request: Request) -> Envelope | KaseyaError:
        """Make one try. Its failure is a value, so that what the gate raises leaves the retry loop as it is."""
        call = Call(request.method, request.template, request.path, request.is_write, next(self._numbers))
        not_after = await self._gate.admit(call)
        started = self._monotonic()
        status: int | None = None
        settled: Envelope | KaseyaError
        try:
            answer = await self._send(request, not_after)
            status = answer.status
            settled = self._read(request, answer)
        except KaseyaError as error:
            settled = error
        except BaseException:
            await self._gate.answered(call, self._answer(started, None, "interrupted", None))
            raise
        outcome, text = (settled.outcome, settled.message) if isinstance(settled, KaseyaError) else ("ok", None)
        await self._gate.answered(call, self._answer(started, status, outcome, text))
        return settled

    async def _send(self, request: Request, not_after: float | None) -> WireAnswer:
        """Exchange the request, and say in KaseyaErrors what became of it where no answer came."""
        endpoint, url = request.endpoint, self._base_url + request.path
        try:
            self._check_departure(not_after)
            timeout = min(self._timeout, request.within or self._timeout)
            return await self._wire.send(request.method, url, timeout=timeout, not_after=not_after, **request.parts)
        except OverdueError as error:
            raise OverdueCallError(f"{endpoint} was not sent: {error}.", endpoint=endpoint) from None
        except UnsentError as error:
            raise KaseyaUnreachableError(f"BMS cannot be reached for {endpoint}: {error}.", endpoint=endpoint) from None
        except UnansweredError as error:
            raise unanswered(endpoint, str(error), is_write=request.is_write) from None
        except OversizedError as error:
            raise not_understood(endpoint, str(error), is_write=request.is_write) from None
        except KaseyaHostRefusedError as error:
            raise KaseyaHostRefusedError(error.message, endpoint=endpoint) from None

    def _check_departure(self, not_after: float | None) -> None:
        if not_after is not None and self._monotonic() >= not_after:
            message = "the time it was allowed had run out"
            raise OverdueError(message)

    def _read(self, request: Request, answer: WireAnswer) -> Envelope:
        return read_answer(
            request.endpoint,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            is_write=request.is_write,
            creates=request.creates,
            now=self.clock(),
        )

    def _answer(self, started: float, status: int | None, outcome: str, error: str | None) -> Answer:
        return Answer(status, outcome, timedelta(seconds=self._monotonic() - started), error)


class OverdueCallError(KaseyaTransientError):
    """The gate's last moment for the call had passed; nothing was sent, and asking again at once is pointless."""

    outcome = "unsent"


def _is_repeatable(settled: Envelope | KaseyaError) -> bool:
    return isinstance(settled, KaseyaTransientError) and not isinstance(settled, OverdueCallError)


def _last(state: RetryCallState) -> Envelope | KaseyaError:
    """Return what the last try came to, instead of tenacity's own RetryError."""
    settled: Envelope | KaseyaError = state.outcome.result()  # type: ignore[union-attr] # there was a try
    return settled
