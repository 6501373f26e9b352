"""Connecting a BMS company: choose a server, enter how to sign in."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.connections.service import Connected, Wanted
from app.console.bms import NotAskedError, Trouble, explained
from app.console.deps import Form, FormDep, OperatorDep
from app.console.render import page, redirect
from app.console.session import PATH
from app.deps import HouseDep
from app.house import House
from app.kaseya import SERVERS, Credentials

router = APIRouter()

SERVER_NAMES = {
    "us": "United States",
    "emea": "Europe, Middle East and Africa",
    "apac": "Asia and Pacific",
    "vorex": "Vorex",
    "psa": "Kaseya PSA",
}
CUSTOM = "custom"
LONGEST = 200
REQUIRED = {
    "name": "Give the connection a name, so that you recognise it in the list.",
    "server": "Choose the server that your company is on.",
    "company": "Enter the company name as My Settings in BMS shows it.",
    "username": "Enter the user name of the API user.",
    "password": "Enter the password of the API user.",
}


@router.get("/connect")
async def show_connect(request: Request, _: OperatorDep) -> Response:
    """The form."""
    return _form_page(request, {"server": "us"})


@router.post("/connect")
async def connect(request: Request, _: OperatorDep, house: HouseDep, form: FormDep) -> Response:
    """Sign in to BMS and store the connection; when anything fails, nothing is stored and the form says why."""
    if errors := _errors(form):
        return _form_page(request, form, errors=errors, status=422)
    try:
        made = await _connect(house, form)
    except NotAskedError as error:
        errors = {error.trouble.field: error.trouble.remedy} if error.trouble.field else {}
        return _form_page(request, form, errors=errors, trouble=error.trouble, status=422)
    notes = " ".join(made.notes)
    message = f"{made.row.name} is connected: BMS accepted the sign-in. {notes}".strip()
    secret = {"connection_id": made.row.id, "signing_secret": made.signing_secret}
    return redirect(request, f"{PATH}/connections/{made.row.id}", message, secret=secret)


async def _connect(house: House, form: Form) -> Connected:
    server = form["server"]
    wanted = Wanted(
        name=form["name"],
        server=server,
        base_url=form["base_url"] if server == CUSTOM else SERVERS[server],
        credentials=Credentials(
            company=form["company"],
            username=form["username"],
            password=form["password"],
            mfa_secret=form.get("mfa_secret") or None,
        ),
    )
    async with explained():
        return await house.connections.connect(wanted)


def _errors(form: Form) -> dict[str, str]:
    errors = {name: sentence for name, sentence in REQUIRED.items() if not form.get(name)}
    if form.get("server") not in (*SERVERS, CUSTOM):
        errors["server"] = REQUIRED["server"]
    if form.get("server") == CUSTOM and not form.get("base_url"):
        errors["base_url"] = "A server of your own needs its address, such as https://bms.example.com."
    too_long = {
        name: f"This is longer than {LONGEST} characters." for name in REQUIRED if len(form.get(name, "")) > LONGEST
    }
    return {**errors, **too_long}


def _form_page(
    request: Request,
    form: Form,
    *,
    errors: dict[str, str] | None = None,
    trouble: Trouble | None = None,
    status: int = 200,
) -> Response:
    # Secrets are typed again: they never travel back to the browser.
    values = {name: value for name, value in form.items() if name not in ("password", "mfa_secret", "csrf")}
    servers = {name: (SERVER_NAMES.get(name, name), address) for name, address in SERVERS.items()}
    return page(
        request,
        "connect.html",
        status=status,
        form=values,
        errors=errors or {},
        trouble=trouble,
        servers=servers,
    )
