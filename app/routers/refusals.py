"""Turns whatever a request ends in into a problem: the framework's own errors, a database that is away."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

from app.intake.group_commit import DatabaseAwayError
from app.routers.problems import Problem, away

# Only the database is reached without a typed error of ours, so a bare network error is its.
DATABASE_AWAY = (
    DatabaseAwayError,
    OSError,
    PoolTimeoutError,
    OperationalError,
    InterfaceError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)
NO_SUCH_CHARACTER = "22021"
_JSON_ERRORS = ("json_invalid",)


def add_refusals(app: FastAPI) -> None:
    """Let every error of a route become a problem; the unexpected ones pass on to the boundary around the app."""
    app.add_exception_handler(Problem, _raised)
    app.add_exception_handler(HTTPException, _by_framework)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(DBAPIError, _database)
    for error in DATABASE_AWAY:
        app.add_exception_handler(error, _database)


def database_away() -> Problem:
    """The problem of a request that needs the database while it is away."""
    return away("The database is away for the moment, so nothing was stored. Send the same request again.")


def is_database_away(error: Exception) -> bool:
    """Whether this is PostgreSQL not being there, and not a fault of ours in talking to it."""
    return isinstance(error, DATABASE_AWAY) or (isinstance(error, DBAPIError) and error.connection_invalidated)


async def _raised(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _database(_: Request, error: Exception) -> Response:
    if is_database_away(error):
        return database_away().response()
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == NO_SUCH_CHARACTER:
        detail = "The request holds a NUL character, which no text can hold here."
        return Problem(422, "invalid-request", detail).response()
    raise error


async def _by_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    match error.status_code:
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return Problem(413, "body-too-large", error.detail, headers=error.headers).response()
        case HTTPStatus.NOT_FOUND:
            return Problem(404, "not-found", "There is nothing at this path.").response()
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = {"Allow": _allowed_methods(request) or (error.headers or {}).get("Allow", "")}
            return Problem(
                405, "method-not-allowed", "This path does not take this method.", headers=allowed
            ).response()
        case _:
            errors = [{"pointer": "", "message": "The body could not be read."}]
            return Problem(422, "invalid-request", "The body could not be read.", errors=errors).response()


def _allowed_methods(request: Request) -> str:
    """All methods of the path: the framework names those of the first route alone that has it."""
    described: Mapping[str, Mapping[str, object]] = request.app.openapi()["paths"]
    fitting = (methods for path, methods in described.items() if compile_path(path)[0].match(request.url.path))
    return ", ".join(sorted({name.upper() for methods in fitting for name in methods}))


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [_field_error(detail) for detail in error.errors()]
    return Problem(422, "invalid-request", _sentence(errors), errors=errors).response()


def _sentence(errors: list[dict[str, str]]) -> str:
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{first['pointer'] or 'body'}: {first['message']}{more}"


def _field_error(detail: Mapping[str, Any]) -> dict[str, str]:
    if detail["type"] in _JSON_ERRORS:
        return {"pointer": "", "message": "The body is not valid JSON."}
    message = str(detail["msg"]).removeprefix("Value error, ")
    return {"pointer": _pointer(detail["loc"]), "message": message[:1].upper() + message[1:].rstrip(".") + "."}


def _pointer(location: Iterable[str | int]) -> str:
    """RFC 6901: into the body as it was posted; a fault outside of it begins with /path, /query or /header."""
    parts = list(location)
    if parts and parts[0] == "body":
        parts = parts[1:]
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
