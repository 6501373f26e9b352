"""Templates to answers: pages, redirects with a message, and the message's one showing."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.console import words
from app.console.session import PATH, Visitor, seal, set_cookie, unseal
from app.console.settings_fields import anchor_of
from app.house import House

FLASH = "quotebridge_flash"
FLASH_LASTS = timedelta(minutes=2)
HERE = Path(__file__).parent
STATIC = HERE / "static"
STATIC_FILES = {"console.css": "text/css", "console.js": "text/javascript"}

Kind = Literal["good", "bad", "note"]


def _digest(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def _asset(name: str) -> str:
    """A file's address, which changes with its content and so may be kept for ever."""
    return f"{PATH}/static/{_digest(name)}/{name}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["assets"] = {name: _asset(name) for name in STATIC_FILES}
    environment.globals["words"] = words
    environment.globals["anchor_of"] = anchor_of
    environment.filters["moment"] = words.moment
    environment.filters["iso"] = _iso
    return environment


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


_templates = _environment()


def page(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """A page; a message that a redirect has left is shown on it, this once."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    shared = {
        "visitor": visitor,
        "flash": _flash(request, visitor),
        "path": request.url.path,
        "query": request.query_params,
    }
    html = _templates.get_template(template).render({**shared, **values})
    response = HTMLResponse(html, status)
    if FLASH in request.cookies:
        response.delete_cookie(FLASH, path=PATH)
    return response


def shown_once(request: Request, connection_id: str) -> str | None:
    """The signing secret that the form before has made for this connection, if this is its one showing."""
    told = _flash(request, getattr(request.state, "visitor", None)) or {}
    secret = told.get("secret") or {}
    return secret.get("signing_secret") if secret.get("connection_id") == connection_id else None


def _flash(request: Request, visitor: Visitor | None) -> dict[str, Any] | None:
    house: House = request.state.house
    told = unseal(house.vault, request.cookies.get(FLASH, ""), purpose="flash")
    if visitor is None or told is None or told["until"] < house.clock().timestamp():
        return None
    return told if told["csrf"] == visitor.csrf else None


def redirect(
    request: Request, to: str, message: str | None = None, *, kind: Kind = "good", secret: dict[str, Any] | None = None
) -> Response:
    """See other, with a message. A ``secret`` travels encrypted in a cookie of this session and is shown once."""
    response = RedirectResponse(to, 303)
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    if message and visitor:
        house: House = request.state.house
        until = (house.clock() + FLASH_LASTS).timestamp()
        told = {"message": message, "kind": kind, "secret": secret, "until": until, "csrf": visitor.csrf}
        sealed = seal(house.vault, told, purpose="flash")
        set_cookie(response, request, house, FLASH, sealed, lasts=FLASH_LASTS)
    return response


def static_file(digest: str, name: str) -> Response | None:
    """One of our static files; None for any other name or an address of an older version."""
    if name not in STATIC_FILES or digest != _digest(name):
        return None
    response = Response((STATIC / name).read_bytes(), media_type=STATIC_FILES[name])
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
