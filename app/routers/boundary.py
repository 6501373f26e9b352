"""The outermost layer: gives every request its id, and lets nothing unexpected out but a problem."""

import re

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.db.ids import new_id
from app.routers.problems import Problem
from app.telemetry import logger

REQUEST_ID = "X-Request-Id"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = logger("http")


class Boundary:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its id: the one that it came with, if that is a sane one, else a new one."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        answered = False

        async def send_with_id(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except ClientDisconnect:  # its body broke off: nothing was stored, and nobody is there to be told
                _log.info("request.abandoned", method=scope["method"], route=_route(scope))
            except Exception:  # the one boundary of a request: the log gets the trace, the caller never does
                _log.exception("request.failed", method=scope["method"], route=_route(scope))
                if answered:
                    raise
                await _failed(request_id).response()(scope, receive, send_with_id)


def _failed(request_id: str) -> Problem:
    detail = "Something went wrong on our side. The log tells what, under the request id of this answer."
    return Problem(500, "internal-error", detail, request_id=request_id)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if _GIVEN_ID.fullmatch(given) else new_id("req")


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unknown")
