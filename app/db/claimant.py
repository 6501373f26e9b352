"""A worker's own connection to PostgreSQL: it hears of due lanes there, and claims them in one round trip."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql import asyncpg as dialect

from app.db.inbox import LANES_CHANNEL
from app.db.lanes import CLAIM, NEXT_DUE, Claim, claim_values
from app.db.walls import take_service_role

CONNECT_SECONDS = 5
ANSWER_SECONDS = 10

# A claim that a crash of PostgreSQL undoes is a lost lease: nobody settles under it. And no call to BMS leaves under it
# either: each is counted in a durable commit first, which makes every commit before it durable, too.
_SETTINGS = "SET synchronous_commit = off; SET jit = off; SET application_name = 'quotebridge worker'"


class Claimant:
    """Connects when it is first needed, and again after it was lost; whoever makes it closes it."""

    def __init__(self, dsn: str, *, heard: Callable[[], None]) -> None:
        """``heard`` is called whenever lanes may have fallen due, and after each time nobody could be heard."""
        self._dsn = dsn
        self._heard = heard
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def claim(self, *, slots: int, lease: timedelta, probe: timedelta, but: Sequence[str] = ()) -> list[Claim]:
        """Claim up to ``slots`` due lanes, as :func:`app.db.lanes.claim` does, but none of the connections named.

        The claim is visible to everybody at once, and durable with the next durable commit of anybody. Raises what
        asyncpg raises when the database is away; what may have been claimed then falls due with its lease.
        """
        values = claim_values(slots=slots, lease=lease, probe=probe, lease_id=uuid4(), but=but)
        return [Claim(*row) for row in await self._ask(_CLAIM, values)]

    async def next_due(self, *, but: Sequence[str] = ()) -> timedelta | None:
        """How long until the next lane of an active connection may be claimed, but for those; None for never."""
        wait: timedelta | None = (await self._ask(_NEXT_DUE, {"but": list(but)}))[0][0]
        return None if wait is None else max(wait, timedelta())

    async def listen(self) -> None:
        """Be there to hear, whether or not anything is asked."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
            self._heard()  # of what fell due while nobody listened

    def close(self) -> None:
        """Let the connection go; it has nothing to finish, and need not wait for a slow goodbye."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _ask(self, statement: tuple[str, list[str]], values: dict[str, Any]) -> list[asyncpg.Record]:
        await self.listen()
        assert self._connection is not None
        query, names = statement
        try:
            return await self._connection.fetch(query, *(values[name] for name in names), timeout=ANSWER_SECONDS)
        except asyncpg.InternalClientError as error:  # what asyncpg says of a connection that the server has just ended
            self.close()
            raise ConnectionResetError("PostgreSQL has ended the connection") from error
        except BaseException:
            self.close()
            raise

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        connection = await asyncpg.connect(self._dsn, timeout=CONNECT_SECONDS)
        try:
            await take_service_role(connection)
            await connection.execute(_SETTINGS)
            await connection.add_listener(LANES_CHANNEL, lambda *_: self._heard())
        except BaseException:
            connection.terminate()
            raise
        connection.add_termination_listener(lambda _: self._heard())
        return connection


def _plain(statement: TextClause) -> tuple[str, list[str]]:
    """The statement as asyncpg itself takes it, and the order of its values."""
    compiled = statement.compile(dialect=dialect.dialect())  # type: ignore[no-untyped-call]
    return compiled.string, list(compiled.positiontup or ())


_CLAIM, _NEXT_DUE = _plain(CLAIM), _plain(NEXT_DUE)
