"""Reads what a connection's webhooks need, and decrypts it."""

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.connections.model import ConnectionSettings, zone_of
from app.connections.secrets import Vault
from app.db.session import Database
from app.db.tables import Connection, SigningSecret
from app.intake.doors import Door

SIGNING_SECRET_FIELD = "signing_secret"  # noqa: S105 - the field's name
QUOTER_HASH_KEY_FIELD = "quoter_hash_key"


async def load_door(database: Database, vault: Vault, connection_id: str) -> Door | None:
    """A connection's door with its live signing secrets; None where there is no such connection."""
    async with database.of(connection_id).transaction() as session:
        connection = await session.get(Connection, connection_id)
        if connection is None:
            return None
        sealed = await _live_secrets(session, connection_id)
    secrets = tuple(vault.open(each, connection_id=connection_id, field=SIGNING_SECRET_FIELD) for each in sealed)
    hash_key = connection.quoter_hash_key
    return Door(
        connection_id=connection_id,
        secrets=secrets,
        quoter_hash_key=vault.open(hash_key, connection_id=connection_id, field=QUOTER_HASH_KEY_FIELD)
        if hash_key
        else None,
        zone=_zone(connection),
    )


async def _live_secrets(session: AsyncSession, connection_id: str) -> list[bytes]:
    live = or_(SigningSecret.expires_at.is_(None), SigningSecret.expires_at > func.now())
    wanted = select(SigningSecret.secret).where(SigningSecret.connection_id == connection_id, live)
    return list(await session.scalars(wanted.order_by(SigningSecret.id.desc())))


def _zone(connection: Connection) -> str:
    settings = ConnectionSettings.model_validate(connection.settings) if connection.settings else None
    return zone_of(settings, tenant_zone=connection.time_zone).key
