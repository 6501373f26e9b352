"""A page for each kind of problem: where a problem's ``type`` leads."""

from html import escape

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from app.routers.problem_kinds import KINDS, ProblemKind
from app.routers.problems import Problem

router = APIRouter(prefix="/problems", include_in_schema=False)

_STYLE = (
    "body{font:1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}"
    "code{font-size:.95em}dt{font-weight:600;margin-top:1rem}dd{margin:0}"
)


@router.get("")
async def list_problems() -> HTMLResponse:
    """Every kind of problem, each with a link to its page."""
    items = "".join(
        f'<dt><a href="/problems/{kind.name}">{kind.name}</a></dt><dd>{_prose(kind.title)}</dd>'
        for kind in sorted(KINDS.values(), key=lambda kind: kind.name)
    )
    return _page("Problems", f"<p>What an answer that is not a success can name.</p><dl>{items}</dl>")


@router.get("/{name}")
async def show_problem(name: str) -> HTMLResponse:
    """What one kind of problem means and what to do."""
    if name not in KINDS:
        raise Problem(404, "not-found", "There is no problem of this name; /problems lists all of them.")
    kind = KINDS[name]
    return _page(kind.title, _body(kind))


def _body(kind: ProblemKind) -> str:
    return (
        f"<p><code>{kind.name}</code>, HTTP status {kind.status}</p>"
        f"<h2>What happened</h2><p>{_prose(kind.happened)}</p>"
        f"<h2>What to do</h2><p>{_prose(kind.remedy)}</p>"
        '<p><a href="/problems">All problems</a></p>'
    )


def _prose(text: str) -> str:
    """HTML of a sentence in which backticks mark code."""
    pieces = escape(text, quote=False).split("`")
    return "".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces))


def _page(title: str, body: str) -> HTMLResponse:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · Quotebridge</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
