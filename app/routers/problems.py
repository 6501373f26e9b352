"""Problems as RFC 9457 has them: raised anywhere behind a route, answered in one form, declared by name."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

from app.intake.problems import InvalidEventError, RefusedError
from app.intake.reception import name_of
from app.routers.problem_kinds import KINDS

MEDIA_TYPE = "application/problem+json"
PROBLEM_SCHEMA = "Problem"


class Problem(Exception):  # noqa: N818 - the RFC's own word, and what a route raises reads as one
    """An answer that is not a success. ``name`` is one of :data:`KINDS`; ``extra`` becomes members of the body."""

    def __init__(
        self, status: int, name: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: object
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = KINDS[name]
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra

    @property
    def body(self) -> dict[str, object]:
        """The problem's members."""
        known = {"type": f"/problems/{self.kind.name}", "title": self.kind.title, "status": self.status}
        return {**known, "detail": self.detail, **self.extra}

    def response(self) -> JSONResponse:
        """The problem as it is sent."""
        return JSONResponse(self.body, self.status, self.headers, media_type=MEDIA_TYPE)


def away(detail: str, *, name: str = "database-away", retry_after: int = 1) -> Problem:
    """A 503 that says after how many seconds the same request is worth sending again."""
    return Problem(503, name, detail, headers={"Retry-After": str(retry_after)})


def refused(refusal: RefusedError) -> Problem:
    """The problem of an event that is not taken as it is; an invalid one names every place in it."""
    if not isinstance(refusal, InvalidEventError):
        return Problem(422, name_of(refusal), str(refusal))
    errors = [{"pointer": each.pointer, "message": each.message} for each in refusal.errors]
    return Problem(422, "invalid-event", str(refusal), errors=errors)


def problem_responses(*names: str | tuple[str, int]) -> dict[int | str, dict[str, Any]]:
    """Declare the problems of an operation for its ``responses``.

    A pair of name and status declares a kind that this operation answers with another status than the usual one.
    """
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for each in names:
        name, status = (each, KINDS[each].status) if isinstance(each, str) else each
        by_status[status].append(name)
    return {status: _declare(status, kinds) for status, kinds in sorted(by_status.items())}


def problem_examples() -> dict[str, Any]:
    """An example of each kind, for the description's components."""
    return {name: {"summary": kind.title, "value": _example(kind.status, name)} for name, kind in KINDS.items()}


def _declare(status: int, names: list[str]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{PROBLEM_SCHEMA}"}
    description = "; ".join(f"`{name}`: {KINDS[name].title}" for name in names)
    examples = {name: _reference(status, name) for name in names}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}}}


def _reference(status: int, name: str) -> dict[str, Any]:
    if status == KINDS[name].status:
        return {"$ref": f"#/components/examples/{name}"}
    return {"summary": KINDS[name].title, "value": _example(status, name)}


def _example(status: int, name: str) -> dict[str, object]:
    return Problem(status, name, KINDS[name].happened).body
