"""The console as one application, mounted beside the API: its pages, its error pages and its headers."""

from math import ceil
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from app.console.errors import PageError, SignInNeededError, not_found
from app.console.headers import StrictHeaders
from app.console.live import Pulses
from app.console.pages import PAGES
from app.console.render import page
from app.console.session import PATH
from app.console.throttle import Throttle

_AWAY = (OperationalError, InterfaceError, PoolTimeoutError, OSError)


class Console(BaseRoute):
    """Answers /console and everything below it; the paths of its pages are stated whole."""

    def __init__(self) -> None:
        self._app = StrictHeaders(_site())

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take what begins with our path."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        ours = scope["type"] == "http" and (path == PATH or path.startswith(f"{PATH}/"))
        return (Match.FULL, {"endpoint": self._app}) if ours else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await self._app(scope, receive, send)


def _site() -> FastAPI:
    site = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    site.state.throttle = Throttle()
    site.state.pulses = Pulses()
    for router in PAGES:
        site.include_router(router, prefix=PATH)
    site.add_exception_handler(SignInNeededError, _sign_in)
    site.add_exception_handler(PageError, _stopped)
    site.add_exception_handler(HTTPException, _by_framework)
    site.add_exception_handler(RequestValidationError, _unreadable)
    site.add_exception_handler(Exception, _failed)
    for error in _AWAY:
        site.add_exception_handler(error, _database_away)
    return site


async def _sign_in(request: Request, _: Exception) -> Response:
    """To the sign-in form, and from there back to where one wanted to go, if that only reads."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = f"?next={quote(wanted)}" if request.method == "GET" and request.url.path != PATH else ""
    return RedirectResponse(f"{PATH}/sign-in{back}", 303)


async def _stopped(request: Request, error: Exception) -> Response:
    assert isinstance(error, PageError)
    response = page(request, "error.html", status=error.status, error=error)
    if error.retry_after:
        response.headers["Retry-After"] = str(max(1, ceil(error.retry_after.total_seconds())))
    return response


async def _by_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    missing = not_found()
    if error.status_code == missing.status:
        return await _stopped(request, missing)
    remedy = "Go back and try again."
    return await _stopped(request, PageError(error.status_code, "This did not work", f"{error.detail}", remedy))


async def _unreadable(request: Request, _: Exception) -> Response:
    detail = "The address holds a value that means nothing here."
    remedy = "Follow the links of the console instead of typing an address."
    return await _stopped(request, PageError(422, "This cannot be read", detail, remedy))


async def _database_away(request: Request, _: Exception) -> Response:
    detail = "The database is away for the moment, so nothing was read or stored."
    remedy = "Reload the page in a few seconds. If it lasts, `quotebridge doctor` says what is wrong."
    return await _stopped(request, PageError(503, "One moment, please", detail, remedy))


async def _failed(request: Request, _: Exception) -> Response:
    """The page of a fault of ours; the log gets the trace from the boundary around the whole application."""
    detail = "Something went wrong on our side. The service's log tells what."
    return await _stopped(request, PageError(500, "This did not work", detail, "Go back and try again."))
