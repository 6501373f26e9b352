"""The bare ASGI that references D and X are made of: read the body, check the signature, store it somehow, answer.

What is stored is what came, under its webhook id, once. Nothing of it is looked at.
"""

import os
from abc import ABC, abstractmethod
from typing import Any

import asyncpg
from starlette.types import Receive, Scope, Send

from benchmarks.references.secret import is_signed

DSN_VARIABLE = "REFERENCE_DSN"
TABLE = "CREATE TABLE IF NOT EXISTS {table} (webhook_id text PRIMARY KEY, body bytea, at timestamptz DEFAULT now())"


class BareInbox(ABC):
    """An ASGI application that stores signed bodies."""

    table: str

    def __init__(self) -> None:
        self._pool: Any = None

    @abstractmethod
    async def store(self, webhook_id: str, body: bytes) -> None:
        """Return once the body is committed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the process's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = dict(scope["headers"])
        if not is_signed(headers, body):
            await _answer(send, 401, b'{"status":"refused"}')
            return
        await self.store(headers[b"webhook-id"].decode(), body)
        await _answer(send, 202, b'{"status":"accepted"}')

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._pool = await asyncpg.create_pool(os.environ[DSN_VARIABLE], min_size=10, max_size=10)
        await self._pool.execute(TABLE.format(table=self.table))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._pool.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _answer(send: Send, status: int, body: bytes) -> None:
    length = str(len(body)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
