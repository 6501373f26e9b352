"""What PostgreSQL being away looks like from here, whichever of the two libraries met it."""

import asyncpg
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError

DATABASE_AWAY = (OSError, TimeoutError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""All that a loop which must go on anyway has to outlive."""

OUR_MISTAKES = (DataError, IntegrityError, ProgrammingError)


def is_away(error: BaseException) -> bool:
    """Whether the same statement may well succeed later."""
    return isinstance(error, DATABASE_AWAY) and not isinstance(error, OUR_MISTAKES)
