"""What PostgreSQL being away looks like from here, whichever of the two libraries met it."""

import asyncpg
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError

DATABASE_AWAY = (OSError, TimeoutError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""All that a loop which must go on anyway has to outlive."""

OUR_MISTAKES = (DataError, IntegrityError, ProgrammingError)
OUR_STATES = ("22", "23", "42")
"""Classes of SQLSTATE: data, integrity, syntax and rights. Not all of them have a class of SQLAlchemy's own."""


def is_away(error: BaseException) -> bool:
    """Whether the same statement may well succeed later."""
    return isinstance(error, DATABASE_AWAY) and not isinstance(error, OUR_MISTAKES) and not _blames_us(error)


def _blames_us(error: BaseException) -> bool:
    from_driver = getattr(error, "orig", None) or error
    state: str = getattr(from_driver, "sqlstate", None) or ""
    unsendable = isinstance(from_driver.__cause__, ValueError)  # asyncpg cannot even write the value down
    return unsendable or state.startswith(OUR_STATES)
