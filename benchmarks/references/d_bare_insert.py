"""Reference D: bare ASGI, the signature, and one INSERT of its own for each request, through an asyncpg pool."""

from benchmarks.references.bare import BareInbox


class BareInsert(BareInbox):
    """Each request waits for its own commit."""

    table = "bare_insert"

    async def store(self, webhook_id: str, body: bytes) -> None:
        """Insert one row; a webhook id that is known stays as it is."""
        await self._pool.execute(
            "INSERT INTO bare_insert (webhook_id, body) VALUES ($1, $2) ON CONFLICT DO NOTHING", webhook_id, body
        )


app = BareInsert()
