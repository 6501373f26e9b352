"""A BMS at the wire: every request is answered by respx, nothing leaves the machine."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import respx

from app.kaseya import Answer, Call, Credentials, Hosts, KaseyaClient, MemoryTokens, Token, Transport, Wire
from app.kaseya.capabilities import Capability

BASE = "https://api.bms.kaseya.com"
NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)


class RecordingGate:
    """Admits everything and remembers it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: list[Answer] = []
        self.not_after: float | None = None
        self.refusal: Exception | None = None

    async def admit(self, call: Call) -> float | None:
        self.calls.append(call)
        if self.refusal is not None:
            raise self.refusal
        return self.not_after

    async def answered(self, call: Call, answer: Answer) -> None:
        assert call in self.calls
        self.answers.append(answer)


@pytest.fixture
def bms() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        yield router


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with Wire(Hosts()) as wire:
        yield wire


@pytest.fixture
def gate() -> RecordingGate:
    return RecordingGate()


@pytest.fixture
def naps() -> list[float]:
    return []


@pytest.fixture
def tokens() -> MemoryTokens:
    return MemoryTokens(Token("first", "renewal", NOW + timedelta(hours=1)))


MakeTransport = Callable[..., Transport]


@pytest.fixture
def make_transport(wire: Wire, gate: RecordingGate, tokens: MemoryTokens, naps: list[float]) -> MakeTransport:
    async def nap(seconds: float) -> None:
        naps.append(seconds)

    def make(**changed: object) -> Transport:
        ways: dict[str, object] = {
            "base_url": BASE,
            "credentials": Credentials("Example MSP", "api@msp.example", "hunter2"),
            "tokens": tokens,
            "gate": gate,
            "clock": lambda: NOW,
            "monotonic": lambda: 0.0,
            "sleep": nap,
        }
        return Transport(wire, **(ways | changed))  # type: ignore[arg-type] # the test chooses what to change

    return make


@pytest.fixture
def transport(make_transport: MakeTransport) -> Transport:
    return make_transport()


@pytest.fixture
def client(transport: Transport) -> KaseyaClient:
    return KaseyaClient(transport, capabilities=frozenset(Capability))


@pytest.fixture
def granted() -> Callable[..., httpx.Response]:
    """Make the answer to a sign-in or refresh."""

    def answer(access: str = "second", expires: str | None = "2026-08-01T13:00:00") -> httpx.Response:
        result = {"accessToken": access, "refreshToken": f"{access}-renewal", "accessTokenExpireOn": expires}
        return httpx.Response(200, json={"success": True, "result": result})

    return answer
