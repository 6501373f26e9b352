"""A stored connection's BMS, asked on behalf of a request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.connections.refusal import count_refusal, may_sign_in
from app.connections.secrets import SecretUnreadableError
from app.db.tables import Connection
from app.house import House
from app.kaseya import KaseyaClient, KaseyaCredentialsError, KaseyaError
from app.routers.kaseya_problems import problem_of
from app.routers.problems import Problem

STOPPED = "BMS refused the stored credentials, so it is not asked again; PATCH the connection with new ones."
UNREADABLE = "The stored credentials cannot be decrypted with the configured keys; PATCH the connection with new ones."


@asynccontextmanager
async def asking(house: House, connection: Connection) -> AsyncIterator[KaseyaClient]:
    """A client for the connection; what it raises becomes a problem.

    Refused credentials are counted, and after the second refusal BMS is not asked any more: every keystroke in a picker
    would be another sign-in, and lock the user out.
    """
    if not may_sign_in(connection):
        raise Problem(409, "kaseya-credentials-rejected", STOPPED)
    try:
        yield house.clients.client(connection, urgent=True)
    except KaseyaCredentialsError as error:
        async with house.database.of(connection.id).transaction() as session:
            await count_refusal(session, connection.id, reason=error.message, now=house.clock())
        raise problem_of(error) from None
    except KaseyaError as error:
        raise problem_of(error) from None
    except SecretUnreadableError:
        raise Problem(409, "kaseya-credentials-rejected", UNREADABLE) from None
