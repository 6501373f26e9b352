"""API keys: list, make and revoke; for operators."""

from fastapi import APIRouter, Request
from sqlalchemy import func, select, update
from starlette.responses import Response

from app.connections.keys import KeyScopeError, create_key
from app.console.deps import FormDep, OperatorDep
from app.console.render import page, redirect
from app.console.session import PATH
from app.db.tables import ApiKey, Connection
from app.deps import SessionDep

router = APIRouter(prefix="/keys")

HERE = f"{PATH}/keys"
MOST_LISTED = 200
LONGEST = 200


@router.get("")
async def list_keys(request: Request, _: OperatorDep, session: SessionDep) -> Response:
    """The keys, newest first; revoked ones stay so that their traces can be read."""
    keys = (await session.scalars(select(ApiKey).order_by(ApiKey.id.desc()).limit(MOST_LISTED))).all()
    rows = await session.execute(select(Connection.id, Connection.name).order_by(Connection.name))
    return page(request, "keys.html", keys=keys, connections=dict(rows.all()))


@router.post("")
async def make_key(request: Request, _: OperatorDep, session: SessionDep, form: FormDep) -> Response:
    """Make a key; it is shown once."""
    name = form.get("name", "")
    if not name or len(name) > LONGEST:
        return redirect(request, HERE, "Give the key a name, so that you know later whose it is.", kind="bad")
    try:
        made = await create_key(session, name, connection_id=form.get("connection_id") or None)
    except KeyScopeError:
        return redirect(request, HERE, "This connection is gone; choose another one.", kind="bad")
    return redirect(request, HERE, f"The key {name!r} is made. It is shown this once:", secret={"key": made.key})


@router.post("/{key_id}/revoke")
async def revoke_key(request: Request, _: OperatorDep, session: SessionDep, __: FormDep, key_id: str) -> Response:
    """Revoke a key: it opens nothing from now on, and sessions that were opened with it end."""
    revoked = func.coalesce(ApiKey.revoked_at, func.now())
    await session.execute(update(ApiKey).where(ApiKey.id == key_id).values(revoked_at=revoked))
    return redirect(request, HERE, "Revoked: it opens nothing from now on.")
