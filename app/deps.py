"""What routes and pages ask for: the house, its address, and a session that is committed before the answer goes out."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection, Request

from app.house import House


def house_of(connection: HTTPConnection) -> House:
    """The house that the application was opened with."""
    house: House = connection.state.house
    return house


HouseDep = Annotated[House, Depends(house_of)]


def _address(request: Request, house: HouseDep) -> str:
    return (house.settings.public_url or str(request.base_url)).rstrip("/")


# Where the service is reached from outside, without a slash at its end.
AddressDep = Annotated[str, Depends(_address)]


async def _session(house: HouseDep, request: Request) -> AsyncIterator[AsyncSession]:
    """Of the connection that the path names: what a query forgets to say, PostgreSQL does not forget."""
    async with house.database.of(request.path_params.get("connection_id")).transaction() as session:
        yield session


# scope="function": commit, then respond. Without it the answer would go out first, and a failed commit would be a 2xx.
# A route that waits for BMS takes short transactions of its own from the house instead.
SessionDep = Annotated[AsyncSession, Depends(_session, scope="function")]
