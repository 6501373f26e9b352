"""Events in: both webhooks. Plain routes, since dependencies per request would cost most of their time."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.house import House
from app.intake.deliveries import Acceptance, Answer, Source
from app.intake.doors import Door
from app.intake.problems import RefusedError, SignatureError, UnreadableBodyError
from app.intake.quoter import Ignored
from app.intake.reception import Reading, read_quoter, read_standard
from app.routers.problems import Problem, refused
from app.telemetry import deliveries

Read = TypeVar("Read")
_CONNECTION_ID = re.compile(r"[A-Za-z0-9_]{1,64}")


class QuoteEvents:
    """Takes quote events, signed as Standard Webhooks; the 202 goes out after the commit.

    ASGI itself: to make a request and a response of what is read once and answered alike would cost as much as the
    signature.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one delivery; what is not a 202 is raised as a problem."""
        house: House = scope["state"]["house"]
        door = await _door(house, scope["path_params"]["connection_id"])
        body = await _read(receive)
        headers = scope["headers"]
        reading = await _with_fresh_secrets(
            house, door, Source.STANDARD, lambda door, now: read_standard(door, headers, body, now=now)
        )
        acceptance = await house.inbox.accept(reading.delivery)
        deliveries.labels(Source.STANDARD, acceptance.answer).inc()
        await _send(send, _answer(acceptance, reading.refusal))


async def receive_quoter_quote(request: Request) -> Response:
    """Take Quoter's own webhook: whatever is understood gets a 200, since Quoter repeats anything else for 62 hours."""
    house: House = request.state.house
    door = await _quoter_door(house, request.path_params["connection_id"])
    body = await request.body()
    reading = await _with_fresh_secrets(house, door, Source.QUOTER, lambda door, now: _read_quoter(door, body, now))
    if isinstance(reading, Ignored):
        deliveries.labels(Source.QUOTER, "ignored").inc()
        return JSONResponse({"status": "ignored", "reason": reading.reason})
    acceptance = await house.inbox.accept(reading.delivery)
    deliveries.labels(Source.QUOTER, acceptance.answer).inc()
    return JSONResponse({"status": acceptance.answer, "reason": acceptance.reason})


routes = [
    Route("/webhooks/{connection_id}/quotes", QuoteEvents(), methods=["POST"]),
    Route("/webhooks/{connection_id}/quoter", receive_quoter_quote, methods=["POST"]),
]


async def _read(receive: Receive) -> bytes:
    """The whole body, cut off by the layer around when it is too large."""
    message = await receive()
    pieces = [message.get("body", b"")]
    while message.get("more_body"):
        message = await receive()
        pieces.append(message.get("body", b""))
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return b"".join(pieces) if len(pieces) > 1 else bytes(pieces[0])


async def _send(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _door(house: House, connection_id: str) -> Door:
    door = await house.doors.find(connection_id) if _CONNECTION_ID.fullmatch(connection_id) else None
    if door is None:
        raise _no_connection(connection_id)
    return door


async def _quoter_door(house: House, connection_id: str) -> Door:
    door = await _door(house, connection_id)
    if door.quoter_hash_key is None:
        detail = "Quoter's webhook is not set up for this connection: PATCH its quoter_hash_key first."
        raise Problem(404, "connection-not-found", detail)
    return door


def _no_connection(connection_id: str) -> Problem:
    return Problem(404, "connection-not-found", f"There is no connection {connection_id!r}.")


async def _with_fresh_secrets(house: House, door: Door, source: Source, read: Callable[[Door, datetime], Read]) -> Read:
    """Read with the secrets at hand and, if they do not fit, once more with what is stored now."""
    try:
        return read(door, house.clock())
    except SignatureError:
        pass
    fresh = await house.doors.reload(door.connection_id)
    if fresh is None:
        raise _no_connection(door.connection_id)
    try:
        return read(fresh, house.clock())
    except SignatureError as error:
        deliveries.labels(source, "signature-invalid").inc()
        raise Problem(401, "signature-invalid", error.reason) from None


def _read_quoter(door: Door, body: bytes, now: datetime) -> Reading | Ignored:
    try:
        return read_quoter(door, body, hash_key=door.quoter_hash_key or "", now=now)
    except UnreadableBodyError as error:
        raise Problem(400, "unreadable-body", str(error)) from None


def _answer(acceptance: Acceptance, refusal: RefusedError | None) -> bytes:
    match acceptance.answer:
        case Answer.CONFLICT:
            raise Problem(409, "delivery-conflict", "This webhook-id came before with another body.")
        case Answer.REJECTED if refusal:
            raise refused(refusal)
        case Answer.DUPLICATE:
            status = b"duplicate"
        case _:
            status = b"accepted"
    return b'{"event_id":"%b","status":"%b"}' % (acceptance.event_id.encode(), status)
