"""The secrets of a connection's row: which fields they are, and how they are sealed and opened."""

from app.connections.secrets import Vault
from app.db.tables import Connection
from app.kaseya import Credentials

PASSWORD = "password"  # noqa: S105 - the field's name
MFA_SECRET = "mfa_secret"  # noqa: S105 - as above
NOTICE_SECRET = "notice_secret"  # noqa: S105 - as above


def open_credentials(vault: Vault, row: Connection) -> Credentials:
    """How to sign in to this connection's BMS. Raises SecretUnreadableError."""
    mfa_secret = row.mfa_secret
    return Credentials(
        company=row.company,
        username=row.username,
        password=vault.open(row.password, connection_id=row.id, field=PASSWORD),
        mfa_secret=None if mfa_secret is None else vault.open(mfa_secret, connection_id=row.id, field=MFA_SECRET),
    )


def seal_credentials(vault: Vault, row: Connection, credentials: Credentials) -> None:
    """Put credentials into the row, the secret ones sealed."""
    row.company, row.username = credentials.company, credentials.username
    row.password = vault.seal(credentials.password, connection_id=row.id, field=PASSWORD)
    row.mfa_secret = seal_optional(vault, credentials.mfa_secret, connection_id=row.id, field=MFA_SECRET)


def seal_optional(vault: Vault, secret: str | None, *, connection_id: str, field: str) -> bytes | None:
    """Seal a secret that may be absent."""
    return None if secret is None else vault.seal(secret, connection_id=connection_id, field=field)
