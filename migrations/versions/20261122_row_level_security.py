"""Row-level security: a transaction that is for one connection sees and writes that connection's rows alone."""

from alembic import op

revision = "20261122_rows"
down_revision = "20261122"
branch_labels = None
depends_on = None

OWNED = (
    "api_keys",
    "drifts",
    "events",
    "intents",
    "issues",
    "items",
    "link_lines",
    "links",
    "lookups",
    "notices",
    "paces",
    "quote_aliases",
    "quote_documents",
    "quotes",
    "runs",
    "signing_secrets",
)
OWNERS = {"connections": "id"} | dict.fromkeys(OWNED, "connection_id")
"""Every table whose rows belong to a connection, and the column that says to which."""

# The setting is read once per statement, not once per row. NULL, of an operator's key, equals no connection.
# The planner takes an expression that IS NOT NULL for true of nearly every row, so that the wall leaves the plans of
# work for many connections as they are; taken for a rare equality, it made claims three times as slow.
SETTING = "(SELECT coalesce(current_setting('quotebridge.connection', true), ''))"
IS_OURS = f"(CASE WHEN {SETTING} IN ('', {{column}}) THEN true END) IS NOT NULL"


def upgrade() -> None:
    for table, column in OWNERS.items():
        op.execute(f"CREATE POLICY of_connection ON {table} USING ({IS_OURS.format(column=column)})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    for table in OWNERS:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY of_connection ON {table}")
