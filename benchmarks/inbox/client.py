"""Sends signed events over keep-alive connections, and tells how long each answer took.

A process of its own (`python -m benchmarks.inbox.client`), because a client in the server's process would share its
interpreter, and raw HTTP/1.1 on sockets, because an HTTP library costs more than the server that is measured. It reads
an order as JSON from standard input, makes all requests, says `ready`, waits for a line, and says what it saw.
"""

import asyncio
import gc
import json
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop

from benchmarks.inbox.quotes import Load, requests

ACCEPTED = b"HTTP/1.1 202 "
END_OF_HEADERS = b"\r\n\r\n"
LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to send where. With a ``rate`` (events/s) at fixed times, whatever the answers; else as answers come."""

    host: str
    port: int
    load: Load
    count: int
    connections: int
    rate: float = 0.0


@dataclass(slots=True)
class Sending:
    """All connections together: what is left to send, and what was seen."""

    waiting: deque[tuple[bytes, float]]
    done: asyncio.Event = field(default_factory=asyncio.Event)
    left: int = 0
    latencies: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def note(self, started: float, answer: bytes) -> None:
        """Count one answer."""
        self.latencies.append(time.perf_counter() - started)
        if not answer.startswith(ACCEPTED):
            self.refused.append(answer[:400].decode(errors="replace"))
        self.left -= 1
        if self.left == 0:
            self.done.set()


class Sender(asyncio.Protocol):
    """One keep-alive connection: one request at a time."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._started = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own, which only looks like one

    @property
    def is_free(self) -> bool:
        """Whether no answer is outstanding."""
        return not self._started

    def send(self, request: bytes, due: float) -> None:
        """Write a request; its latency counts from ``due``, so that a late client does not hide a slow server."""
        assert self._transport
        self._started = due or time.perf_counter()
        self._transport.write(request)

    def send_next(self) -> None:
        """Write the next request that waits, if there is one."""
        if self._sending.waiting:
            self.send(*self._sending.waiting.popleft())

    def data_received(self, data: bytes) -> None:
        """Take a piece of the answer; once it is whole, send the next request."""
        self._received += data
        head, separator, rest = self._received.partition(END_OF_HEADERS)
        if not separator or len(rest) < _length(head):
            return
        answer, self._received = self._received, b""
        started, self._started = self._started, 0.0
        self._sending.note(started, answer)
        self.send_next()

    def connection_lost(self, _: Exception | None) -> None:
        """An answer that is still outstanding will not come."""
        if self._started:
            self._sending.note(self._started, b"the connection was closed")


def _length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.index(LENGTH) + len(LENGTH)
    end = lowered.find(b"\r\n", start)
    return int(lowered[start : end if end != -1 else None])


async def _send_as_answered(sending: Sending, senders: Sequence[Sender], prepared: Sequence[bytes]) -> None:
    sending.waiting.extend((request, 0.0) for request in prepared)
    for sender in senders:
        sender.send_next()
    await sending.done.wait()


async def _send_at(sending: Sending, senders: Sequence[Sender], prepared: Sequence[bytes], rate: float) -> None:
    start = time.perf_counter()
    for number, request in enumerate(prepared):
        due = start + number / rate
        if (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        free = next((sender for sender in senders if sender.is_free), None)
        if free is None:
            sending.waiting.append((request, due))
        else:
            free.send(request, due)
    await sending.done.wait()


async def _run(order: Order) -> dict[str, object]:
    prepared = requests(order.load, order.count)
    sending = Sending(deque(), left=order.count)
    loop = asyncio.get_running_loop()
    senders = [
        (await loop.create_connection(lambda: Sender(sending), order.host, order.port))[1]
        for _ in range(order.connections)
    ]
    gc.disable()
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    started = time.perf_counter()
    if order.rate:
        await _send_at(sending, senders, prepared, order.rate)
    else:
        await _send_as_answered(sending, senders, prepared)
    return {
        "seconds": time.perf_counter() - started,
        "latencies": sending.latencies,
        "refused": sending.refused[:5],
        "sizes": [len(request) for request in prepared[:200]],
    }


def main() -> None:
    """Do one order."""
    fields = json.loads(sys.stdin.readline())
    order = Order(**fields | {"load": Load(**fields["load"])})
    print(json.dumps(uvloop.run(_run(order))), flush=True)


if __name__ == "__main__":
    main()
