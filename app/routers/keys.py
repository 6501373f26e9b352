"""API keys: make, list and revoke; for operators only."""

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, model_validator
from sqlalchemy import func, select, update

from app.connections.keys import KeyScopeError, NewKey, create_key
from app.db.tables import ApiKey
from app.deps import SessionDep
from app.routers.fields import KeyId, Name, Plain, Time
from app.routers.paging import Listing, PageDep
from app.routers.problems import Problem, problem_responses
from app.routers.security import OperatorDep

router = APIRouter(prefix="/v1/api-keys", tags=["api-keys"])

Scope = Literal["operator", "connection"]


class KeyRequest(BaseModel):
    """What a new key is called and what it opens."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "quoting frontend", "scope": "operator"}]},
    )

    name: Name
    scope: Scope
    connection_id: Plain | None = None

    @model_validator(mode="after")
    def _scope_fits(self) -> Self:
        if (self.scope == "connection") != (self.connection_id is not None):
            message = "connection_id goes with the scope connection, and only with it"
            raise ValueError(message)
        return self


KEY_EXAMPLE: dict[str, Any] = {
    "id": "key_01k9x7d3m5q8r2t4v6w8y0z1ab",
    "name": "quoting frontend",
    "scope": "operator",
    "connection_id": None,
    "created_at": "2026-03-02T09:00:00Z",
    "last_used_at": None,
    "revoked_at": None,
}


class KeyView(BaseModel):
    """A key as it is listed: never the key itself."""

    model_config = ConfigDict(json_schema_extra={"examples": [KEY_EXAMPLE]})

    id: str
    name: str
    scope: Scope
    connection_id: str | None
    created_at: Time
    last_used_at: Time | None
    revoked_at: Time | None


class NewKeyView(KeyView):
    """A key just made; ``key`` is shown this once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**KEY_EXAMPLE, "key": "qb_vK0q3kW2u8lq0w2eTzYb6mJ4r9xC1sD5fG7hN8pQaE"}]}
    )

    key: str


@router.post(
    "",
    status_code=201,
    summary="Make an API key",
    responses=problem_responses("not-found", "connection-not-found"),
)
async def create_api_key(_: OperatorDep, session: SessionDep, wanted: Annotated[KeyRequest, Body()]) -> NewKeyView:
    """Make a key for everything (`operator`) or for one connection. The key is shown once and stored hashed."""
    try:
        made = await create_key(session, wanted.name, connection_id=wanted.connection_id)
    except KeyScopeError as error:
        raise Problem(404, "connection-not-found", str(error)) from None
    return _new_view(made)


@router.get("", summary="List the API keys", responses=problem_responses("not-found"))
async def list_api_keys(_: OperatorDep, session: SessionDep, page: PageDep) -> Listing[KeyView]:
    """List all keys, newest first, revoked ones included; `last_used_at` is precise to a minute."""
    rows = (await session.scalars(page.newest_first(select(ApiKey), ApiKey.id))).all()
    shown, cursor = page.cut(rows, key=lambda row: [row.id])
    return Listing(items=[_view(row) for row in shown], next_cursor=cursor)


@router.delete(
    "/{key_id}",
    status_code=204,
    summary="Revoke an API key",
    responses=problem_responses("not-found", "api-key-not-found"),
)
async def revoke_api_key(_: OperatorDep, session: SessionDep, key_id: KeyId) -> None:
    """Revoke a key: it opens nothing from now on. It stays in the list, so that its traces can be read."""
    revoked = await session.scalar(
        update(ApiKey)
        .where(ApiKey.id == key_id)
        .values(revoked_at=func.coalesce(ApiKey.revoked_at, func.now()))
        .returning(ApiKey.id)
    )
    if revoked is None:
        raise Problem(404, "api-key-not-found", f"There is no API key {key_id}.")


def _view(row: ApiKey) -> KeyView:
    return KeyView(
        id=row.id,
        name=row.name,
        scope="connection" if row.connection_id else "operator",
        connection_id=row.connection_id,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def _new_view(made: NewKey) -> NewKeyView:
    return NewKeyView(**_view(made.row).model_dump(), key=made.key)
