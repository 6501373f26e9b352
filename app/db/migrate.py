"""Bring a database to a revision of the schema: used by ``quotebridge migrate``, the demo and the tests."""

from alembic import command
from alembic.config import Config

from app.db.schema import MIGRATIONS
from app.settings import sqlalchemy_url


def alembic_config(url: str) -> Config:
    """Alembic's configuration for this database; there is no ini file to keep in step."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = sqlalchemy_url(url)
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Apply every migration up to ``revision``."""
    command.upgrade(alembic_config(url), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Undo migrations down to ``revision``; rows of what is dropped are lost."""
    command.downgrade(alembic_config(url), revision)
