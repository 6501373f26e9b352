"""The second wall between connections: row-level security, and the role that keeps superusers behind it, too.

The first wall is that every query says which connection it means. Should one forget, PostgreSQL itself shows and takes
only the rows of the connection that the transaction is for. Transactions that are for none (claims, sweeps, batches of
events of many connections, an operator's lists) see every row.
"""

import asyncpg
from sqlalchemy import text

SERVICE_ROLE = "quotebridge_service"

SCOPE = text("SELECT set_config('quotebridge.connection', :connection_id, true)")
"""Makes the rest of the transaction one for this connection."""

# Row-level security does not bind superusers, and the database of a small installation often knows no other login. Then
# each connection goes on under a role without a login of its own, wherever that role may do what the service does.
_TAKE_SERVICE_ROLE = f"""
SELECT set_config('role', service.rolname, false)
FROM pg_roles service, pg_roles login
WHERE service.rolname = '{SERVICE_ROLE}' AND login.rolname = session_user AND (login.rolsuper OR login.rolbypassrls)
  AND pg_has_role(service.oid, 'MEMBER') AND has_table_privilege(service.oid, to_regclass('connections'), 'SELECT')
"""  # noqa: S608 - the name is our own constant

# Roles belong to the whole server: migrations of several databases may want to make it at the same moment. A user who
# may make no role needs none, unless row-level security does not bind it; `quotebridge doctor` says so then.
GRANT_TO_SERVICE_ROLE = f"""
DO $$
DECLARE
    me pg_roles;
BEGIN
    SELECT * INTO me FROM pg_roles WHERE rolname = current_user;
    IF (me.rolsuper OR me.rolcreaterole) AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{SERVICE_ROLE}') THEN
        BEGIN
            CREATE ROLE {SERVICE_ROLE} NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{SERVICE_ROLE}') THEN RETURN; END IF;
    IF me.rolbypassrls AND NOT me.rolsuper AND me.rolcreaterole THEN
        BEGIN
            EXECUTE format('GRANT {SERVICE_ROLE} TO %I', current_user);
        EXCEPTION WHEN insufficient_privilege OR unique_violation THEN NULL;
        END;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO {SERVICE_ROLE}', current_schema());
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO {SERVICE_ROLE}',
                   current_schema());
END $$
"""  # noqa: S608 - as above
"""Lets the service role do what the service does, and makes it first where the migrating user may; safe to repeat."""

IS_BOUND = text(
    """
    SELECT NOT (me.rolsuper OR me.rolbypassrls) AND wall.relrowsecurity AND wall.relforcerowsecurity
    FROM pg_roles me, pg_class wall
    WHERE me.rolname = current_user AND wall.oid = to_regclass('connections')
    """
)
"""Whether row-level security binds whoever asks."""


async def take_service_role(connection: asyncpg.Connection) -> None:
    """Go on under the service role where the login is one that row-level security does not bind."""
    await connection.execute(_TAKE_SERVICE_ROLE)
