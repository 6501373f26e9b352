"""Cuts off bodies that are larger than allowed, while they stream in."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: whoever reads a body over the limit gets a 413 instead, before the rest of it is taken.

    Nothing is checked before somebody reads, so that an unknown path or connection is told first.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counting ``receive``."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced, received = _announced(scope), 0

        async def receive_within_limit() -> Message:
            nonlocal received
            self._check(announced)
            message = await receive()
            received += len(message.get("body", b""))
            self._check(received)
            return message

        await self._app(scope, receive_within_limit, send)

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            # Closing spares us the rest of the body. FastAPI passes on no other error while it reads a body.
            detail = f"The body is larger than the {self._max_bytes} bytes that are taken here."
            raise HTTPException(413, detail, headers={"Connection": "close"})


def _announced(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0
