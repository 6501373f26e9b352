"""Signing in with an API key, and out."""

from datetime import timedelta
from math import ceil
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.console.deps import FormDep, read_form, refuse_other_sites
from app.console.errors import PageError
from app.console.render import page, redirect
from app.console.session import COOKIE, PATH, keep, sign_in, visitor_of
from app.console.throttle import Throttle, ThrottledError
from app.deps import HouseDep

router = APIRouter()

UNKNOWN = "This key opens nothing: it is not known here, or it was revoked. Check that you pasted all of it."


@router.get("/sign-in")
async def show_sign_in(
    request: Request, house: HouseDep, wanted: Annotated[str, Query(alias="next")] = PATH
) -> Response:
    """The form; who is signed in already goes on."""
    if await visitor_of(house, request):
        return redirect(request, _inside(wanted))
    return page(request, "sign_in.html", wanted=_inside(wanted), error=None)


@router.post("/sign-in")
async def post_sign_in(request: Request, house: HouseDep) -> Response:
    """Open a session. There is none yet to bind a token to, so that the browser's word on the origin has to do."""
    refuse_other_sites(request)
    form = await read_form(request)
    wanted, key = _inside(form.get("next", PATH)), form.get("api_key", "")
    throttle: Throttle = request.app.state.throttle
    try:
        with throttle.trying(request.client.host if request.client else "", key, now=house.clock()) as tried:
            session = await sign_in(house, key)
            tried.failed = session is None
    except ThrottledError as error:
        raise _too_many(error.wait) from None
    if session is None:
        return page(request, "sign_in.html", status=401, wanted=wanted, error=UNKNOWN)
    response = redirect(request, wanted)
    keep(response, request, house, session)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, _: FormDep) -> Response:
    """End the session in this browser."""
    response = redirect(request, f"{PATH}/sign-in")
    response.delete_cookie(COOKIE, path=PATH)
    return response


def _too_many(wait: timedelta) -> PageError:
    detail = "There were too many failed sign-ins from your address, with keys that begin like this one, or in all."
    remedy = f"Wait {max(1, ceil(wait.total_seconds()))} seconds, then try again with the right key."
    return PageError(429, "Too many tries", detail, remedy, retry_after=wait)


def _inside(wanted: str) -> str:
    """Where to go after signing in: a page of the console, never anywhere else."""
    is_ours = wanted == PATH or wanted.startswith((f"{PATH}/", f"{PATH}?"))
    plain = wanted.isprintable() and "\\" not in wanted and ".." not in wanted
    return wanted if is_ours and plain else PATH
