"""Who may send and how BMS is signed in to: signing secrets, credentials, Quoter's key and the notice address."""

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.connections import signing
from app.connections.signing import LastSigningSecretError, SigningSecretNotFoundError, TooManySigningSecretsError
from app.console import reads
from app.console.bms import NotAskedError, Trouble, explained
from app.console.deps import ConnectionDep, Form, FormDep
from app.console.pages.overview import forget
from app.console.render import page, redirect
from app.console.session import PATH
from app.db.tables import Connection
from app.deps import HouseDep
from app.house import House

router = APIRouter(prefix="/connections/{connection_id}/access")

OVERLAPS = {"0": "at once", "1": "in an hour", "24": "in a day", "168": "in a week"}
TEXTS = ("name", "company", "username")
SECRETS = ("password", "mfa_secret", "quoter_hash_key")
LONGEST = 200


@router.get("")
async def show_access(request: Request, connection: ConnectionDep, house: HouseDep) -> Response:
    """Secrets and credentials: never the secrets themselves."""
    return await _page(request, house, connection)


@router.post("/credentials")
async def change_credentials(request: Request, connection: ConnectionDep, house: HouseDep, form: FormDep) -> Response:
    """Change what was entered; new credentials sign in first, and resume a connection that waited for them."""
    if errors := _errors(form):
        return await _page(request, house, connection, form=form, errors=errors, status=422)
    try:
        async with explained():
            changed = await house.connections.change(connection, _changes(connection, form))
    except NotAskedError as error:
        return await _page(request, house, connection, form=form, trouble=error.trouble, status=422)
    forget(house, connection)
    message = "Changed."
    if changed.notice_secret:
        message = f"Changed. Notices are signed with this secret, shown this once: {changed.notice_secret}"
    return redirect(request, _address(connection), message)


@router.post("/rotate")
async def rotate(request: Request, connection: ConnectionDep, house: HouseDep, form: FormDep) -> Response:
    """Make a new signing secret; the older ones stay good for a while."""
    overlap = timedelta(hours=int(form["overlap"])) if form.get("overlap") in OVERLAPS else timedelta(days=1)
    try:
        async with house.database.of(connection.id).transaction() as session:
            made = await signing.rotate(session, house.vault, connection.id, overlap=overlap, now=house.clock())
    except TooManySigningSecretsError:
        message = f"There are {signing.MOST_LIVE} live secrets already; retire one that is no longer used."
        return redirect(request, _address(connection), message, kind="bad")
    house.doors.forget(connection.id)
    secret = {"connection_id": connection.id, "signing_secret": made.secret}
    message = "A new signing secret is made. Give it to the frontend before the older ones end."
    return redirect(request, f"{PATH}/connections/{connection.id}", message, secret=secret)


@router.post("/secrets/{secret_id}/retire")
async def retire(request: Request, connection: ConnectionDep, house: HouseDep, _: FormDep, secret_id: str) -> Response:
    """End a signing secret now."""
    try:
        async with house.database.of(connection.id).transaction() as session:
            await signing.retire(session, connection.id, secret_id, now=house.clock())
    except SigningSecretNotFoundError:
        return redirect(request, _address(connection), "This secret has ended before.", kind="note")
    except LastSigningSecretError:
        message = "This is the last live secret. Make a new one first, then retire this one."
        return redirect(request, _address(connection), message, kind="bad")
    house.doors.forget(connection.id)
    return redirect(request, _address(connection), "Retired: nothing signed with it is taken from now on.")


def _errors(form: Form) -> dict[str, str]:
    errors = {name: "This cannot be empty." for name in TEXTS if not form.get(name)}
    return errors | {
        name: f"This is longer than {LONGEST} characters." for name in TEXTS if len(form.get(name, "")) > LONGEST
    }


def _changes(connection: Connection, form: Form) -> dict[str, Any]:
    """What differs from the stored; a secret left empty stays, and is cleared by its own box."""
    changes: dict[str, Any] = {name: form[name] for name in TEXTS if form[name] != getattr(connection, name)}
    changes |= {name: form[name] for name in SECRETS if form.get(name)}
    changes |= {name: None for name in ("mfa_secret", "quoter_hash_key") if form.get(f"clear_{name}")}
    notice_url = form.get("notice_url") or None
    if notice_url != connection.notice_url:
        changes["notice_url"] = notice_url
    return changes


async def _page(
    request: Request,
    house: House,
    connection: Connection,
    *,
    form: Form | None = None,
    errors: dict[str, str] | None = None,
    trouble: Trouble | None = None,
    status: int = 200,
) -> Response:
    async with house.database.of(connection.id).transaction() as session:
        live_secrets = await signing.live(session, connection.id, now=house.clock())
    shown = {name: (form or {}).get(name, getattr(connection, name) or "") for name in (*TEXTS, "notice_url")}
    return page(
        request,
        "access.html",
        status=status,
        health=await reads.health_of(house, connection.id),
        form=shown,
        errors=errors or {},
        trouble=trouble,
        secrets=live_secrets,
        overlaps=OVERLAPS,
    )


def _address(connection: Connection) -> str:
    return f"{PATH}/connections/{connection.id}/access"
