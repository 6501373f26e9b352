"""Reference X: bare ASGI, the signature, and group commit of whatever came meanwhile, without a look at any of it."""

import asyncio

from benchmarks.references.bare import BareInbox


class GroupCommit(BareInbox):
    """Requests that arrive while one batch is being committed are the next batch."""

    table = "group_commit"

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[tuple[str, bytes, asyncio.Future[None]]] = []
        self._flusher: asyncio.Task[None] | None = None

    async def store(self, webhook_id: str, body: bytes) -> None:
        """Insert one row together with those of others."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((webhook_id, body, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())
        await future

    async def _flush(self) -> None:
        while batch := self._waiting:
            self._waiting = []
            ids, bodies, futures = zip(*batch, strict=True)
            await self._pool.execute(
                "INSERT INTO group_commit (webhook_id, body) SELECT * FROM unnest($1::text[], $2::bytea[])"
                " ON CONFLICT DO NOTHING",
                ids,
                bodies,
            )
            for future in futures:
                future.set_result(None)
        self._flusher = None


app = GroupCommit()
