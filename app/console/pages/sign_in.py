"""Signing in with an API key, and out."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.console.deps import FormDep, read_form, refuse_other_sites
from app.console.errors import PageError
from app.console.render import page, redirect
from app.console.session import COOKIE, PATH, keep, sign_in, visitor_of
from app.console.throttle import Buckets
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
    buckets: Buckets = request.app.state.buckets
    client = request.client.host if request.client else ""
    if (wait := buckets.wait(client, now=house.clock())) is not None:
        detail = "There were too many failed sign-ins from your address."
        remedy = f"Wait {max(1, round(wait.total_seconds()))} seconds, then try again with the right key."
        raise PageError(429, "Too many tries", detail, remedy, retry_after=wait)
    wanted = _inside(form.get("next", PATH))
    session = await sign_in(house, form.get("api_key", ""))
    if session is None:
        buckets.add(client, now=house.clock())
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


def _inside(wanted: str) -> str:
    """Where to go after signing in: a page of the console, never anywhere else."""
    is_ours = wanted == PATH or wanted.startswith((f"{PATH}/", f"{PATH}?"))
    plain = wanted.isprintable() and "\\" not in wanted and ".." not in wanted
    return wanted if is_ours and plain else PATH
