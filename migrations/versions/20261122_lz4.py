"""Bodies and quotes are compressed by LZ4 where the server has it: a quarter of PostgreSQL's work at accepting less."""

from alembic import op

revision = "20261122_lz4"
down_revision = "20261122_rows"
branch_labels = None
depends_on = None

COLUMNS = (("events", "body"), ("quotes", "content"))

# A server built without LZ4 keeps its own compression. What is stored already stays as it is, and readable.
WHERE_KNOWN = """
DO $$
BEGIN
    {alterations}
EXCEPTION WHEN feature_not_supported OR invalid_parameter_value THEN NULL;
END $$
"""


def upgrade() -> None:
    alterations = " ".join(f"ALTER TABLE {table} ALTER {column} SET COMPRESSION lz4;" for table, column in COLUMNS)
    op.execute(WHERE_KNOWN.format(alterations=alterations))


def downgrade() -> None:
    for table, column in COLUMNS:
        op.execute(f"ALTER TABLE {table} ALTER {column} SET COMPRESSION default")
