"""A stored connection's BMS, asked on behalf of a request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.connections.secrets import SecretUnreadableError
from app.connections.service import SignInStoppedError
from app.db.tables import Connection
from app.house import House
from app.kaseya import KaseyaClient, KaseyaError
from app.routers.kaseya_problems import problem_of
from app.routers.problems import Problem

STOPPED = "BMS refused the stored credentials, so it is not asked again; PATCH the connection with new ones."
UNREADABLE = "The stored credentials cannot be decrypted with the configured keys; PATCH the connection with new ones."


@asynccontextmanager
async def asking(house: House, connection: Connection) -> AsyncIterator[KaseyaClient]:
    """A client for the connection; what it raises becomes a problem."""
    try:
        async with house.connections.asking(connection) as client:
            yield client
    except SignInStoppedError:
        raise Problem(409, "kaseya-credentials-rejected", STOPPED) from None
    except SecretUnreadableError:
        raise Problem(409, "kaseya-credentials-rejected", UNREADABLE) from None
    except KaseyaError as error:
        raise problem_of(error) from None
