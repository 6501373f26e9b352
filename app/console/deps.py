"""What pages ask for: who is signed in, one of their connections, and a form that they really sent."""

import hmac
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from app.connections.access import find_connection
from app.console.errors import PageError, SignInNeededError, not_found
from app.console.session import Visitor, visitor_of
from app.db.tables import Connection
from app.deps import HouseDep

MOST_FIELDS = 2000
SAME_SITE = ("same-origin", "none")


async def _visitor(request: Request, house: HouseDep) -> Visitor:
    visitor = await visitor_of(house, request)
    if visitor is None:
        raise SignInNeededError
    request.state.visitor = visitor
    return visitor


VisitorDep = Annotated[Visitor, Depends(_visitor)]


def _operator(visitor: VisitorDep) -> Visitor:
    if not visitor.is_operator:
        raise not_found()
    return visitor


OperatorDep = Annotated[Visitor, Depends(_operator)]


async def _connection(house: HouseDep, visitor: VisitorDep, connection_id: str) -> Connection:
    row = await find_connection(house.database, visitor, connection_id)
    if row is None:
        raise not_found("connection")
    return row


ConnectionDep = Annotated[Connection, Depends(_connection)]

Form = Mapping[str, str]


async def read_form(request: Request) -> Form:
    """A form's fields, text only, without blanks around them; refused where no text column could hold one."""
    posted = await request.form(max_fields=MOST_FIELDS, max_files=0)
    form = {name: value.strip() for name, value in posted.items() if isinstance(value, str)}
    if any("\0" in value for value in form.values()):
        detail = "One of the fields holds a NUL character, which cannot be stored."
        raise PageError(422, "This cannot be read", detail, "Type the value instead of pasting it.")
    return form


def refuse_other_sites(request: Request) -> None:
    """Stop a form that another site made the browser send; browsers say so in a header that pages cannot forge."""
    if request.headers.get("sec-fetch-site", "none") not in SAME_SITE:
        raise _forged()


async def _form(request: Request, visitor: VisitorDep) -> Form:
    refuse_other_sites(request)
    form = await read_form(request)
    if not hmac.compare_digest(form.get("csrf", "").encode(), visitor.csrf.encode()):
        raise _forged()
    return form


FormDep = Annotated[Form, Depends(_form)]


def _forged() -> PageError:
    detail = "The form did not come from a page of this console in this session, so nothing was done."
    return PageError(403, "Nothing was done", detail, "Go back, reload the page and send the form again.")
