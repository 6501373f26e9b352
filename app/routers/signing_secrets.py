"""Signing secrets of a connection's webhooks: rotate, list and retire."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path
from pydantic import BaseModel, ConfigDict, Field

from app.connections import signing
from app.connections.signing import LastSigningSecretError, SigningSecretNotFoundError, TooManySigningSecretsError
from app.db.tables import SigningSecret
from app.deps import HouseDep
from app.routers.connection_views import SECRET_EXAMPLE
from app.routers.fields import Time
from app.routers.paging import Listing
from app.routers.problems import Problem, problem_responses
from app.routers.security import ConnectionDep

router = APIRouter(prefix="/v1/connections/{connection_id}/signing-secrets", tags=["signing-secrets"])

DEFAULT_OVERLAP_HOURS = 24
MOST_OVERLAP_HOURS = 24 * 30
SIGNING_SECRET_EXAMPLE: dict[str, Any] = {
    "id": "sec_01k9x7d3m5q8r2t4v6w8y0z1ab",
    "created_at": "2026-03-02T09:00:00Z",
    "expires_at": None,
}

SecretId = Annotated[str, Path(pattern="^[a-z]{2,4}_[0-9a-z]{26}$")]


class RotationRequest(BaseModel):
    """How long the older secrets stay good."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"overlap_hours": 24}]})

    overlap_hours: float = Field(default=DEFAULT_OVERLAP_HOURS, strict=True, ge=0, le=MOST_OVERLAP_HOURS)


class SigningSecretView(BaseModel):
    """A live signing secret, without the secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [SIGNING_SECRET_EXAMPLE]})

    id: str
    created_at: Time
    expires_at: Time | None = Field(description="until when it is good; null for one that stays")


class NewSigningSecretView(SigningSecretView):
    """A new signing secret, shown this once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**SIGNING_SECRET_EXAMPLE, "signing_secret": SECRET_EXAMPLE}]}
    )

    signing_secret: str


@router.post(
    "",
    status_code=201,
    summary="Rotate the signing secret",
    responses=problem_responses("connection-not-found", "too-many-signing-secrets", "invalid-request"),
)
async def rotate_signing_secret(
    connection: ConnectionDep, house: HouseDep, rotation: Annotated[RotationRequest | None, Body()] = None
) -> NewSigningSecretView:
    """Make a new secret, shown this once. The older ones stay good for `overlap_hours`, or less if they end sooner."""
    overlap = timedelta(hours=(rotation or RotationRequest()).overlap_hours)
    try:
        async with house.database.of(connection.id).transaction() as session:
            made = await signing.rotate(session, house.vault, connection.id, overlap=overlap, now=house.clock())
    except TooManySigningSecretsError:
        detail = f"The connection has {signing.MOST_LIVE} live signing secrets; retire one that is no longer used."
        raise Problem(409, "too-many-signing-secrets", detail) from None
    house.doors.forget(connection.id)
    return NewSigningSecretView(**_view(made.row).model_dump(), signing_secret=made.secret)


@router.get("", summary="List the signing secrets", responses=problem_responses("connection-not-found"))
async def list_signing_secrets(connection: ConnectionDep, house: HouseDep) -> Listing[SigningSecretView]:
    """List the live secrets, newest first, ten at most; the secrets themselves cannot be read again."""
    async with house.database.of(connection.id).transaction() as session:
        rows = await signing.live(session, connection.id, now=house.clock())
    return Listing(items=[_view(row) for row in rows], next_cursor=None)


@router.delete(
    "/{secret_id}",
    status_code=204,
    summary="Retire a signing secret",
    responses=problem_responses("connection-not-found", "signing-secret-not-found", "last-signing-secret"),
)
async def retire_signing_secret(connection: ConnectionDep, house: HouseDep, secret_id: SecretId) -> None:
    """Retire a secret: nothing signed with it is accepted from now on. The last live one stays."""
    try:
        async with house.database.of(connection.id).transaction() as session:
            await signing.retire(session, connection.id, secret_id, now=house.clock())
    except SigningSecretNotFoundError:
        raise Problem(404, "signing-secret-not-found", f"There is no live signing secret {secret_id}.") from None
    except LastSigningSecretError:
        detail = "This is the last live signing secret; rotate first, then retire it."
        raise Problem(409, "last-signing-secret", detail) from None
    house.doors.forget(connection.id)


def _view(row: SigningSecret) -> SigningSecretView:
    return SigningSecretView(id=row.id, created_at=row.created_at, expires_at=row.expires_at)
