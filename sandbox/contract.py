"""How an operation of BMS is declared: verb, path, parameters, body, answer, and who answers it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from sandbox.shapes import Field, Record, Shape, fields

if TYPE_CHECKING:
    from sandbox.world import World

SORTED = "Sort text, Exclude text"
PAGED = "PageSize int, PageNumber int"
LISTED = f"{SORTED}, {PAGED}"


class Contract(StrEnum):
    """Which operations there are: those that Kaseya publishes, or also those it is assumed to have."""

    PUBLISHED = "published"
    EXTENDED = "extended"


class Kind(Enum):
    """What an operation answers with."""

    ONE = "one"
    LIST = "list"
    PAGED = "paged"
    BARE = "bare"
    NOTHING = "nothing"
    FILE = "file"
    DOCUMENT = "document"

    @property
    def is_list(self) -> bool:
        """Whether the answer holds many records."""
        return self in (Kind.LIST, Kind.PAGED)


@dataclass(frozen=True, slots=True)
class Answer:
    """The kind of an answer and the shape of its record; without a shape the result is a plain string."""

    kind: Kind
    shape: Shape | None = None
    paginated: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """A call that passed the contract: names as declared, values of the declared types."""

    path: Record
    query: Record
    body: Any = None
    token: str | None = None
    user_id: int | None = None


Handler = Callable[["World", Request], Any]
Declare = Callable[[Handler], Handler]


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries: one object, a list of them, or a form."""

    shape: Shape
    many: bool = False
    is_form: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One verb on one path template."""

    method: str
    template: str
    handler: Handler
    answer: Answer
    tag: str
    query: tuple[Field, ...] = ()
    body: Body | None = None
    path_kinds: tuple[tuple[str, str], ...] = ()
    is_anonymous: bool = False
    is_extension: bool = False
    writes: bool = False
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template) + r"\Z"))

    @property
    def key(self) -> str:
        """The name that calls are counted under: `"POST /v2/crm/opportunities"`."""
        return f"{self.method} {self.template}"

    @property
    def path_fields(self) -> tuple[Field, ...]:
        """The parameters in the path: ids, unless declared otherwise."""
        kinds = dict(self.path_kinds)
        names = re.findall(r"\{(\w+)\}", self.template)
        return tuple(Field(name, kinds.get(name, "id"), required=True) for name in names)


class Further(TypedDict, total=False):
    """What only some operations declare."""

    path_kinds: tuple[tuple[str, str], ...]
    is_anonymous: bool
    is_extension: bool


@dataclass(slots=True)
class Group:
    """The operations of one vendor grouping; its methods are decorators that declare a handler's operation."""

    tag: str
    operations: list[Operation] = field(default_factory=list)

    def get(self, template: str, answer: Answer, *, query: str = "", **more: Unpack[Further]) -> Declare:
        """Declare a read."""
        return self.add("GET", template, answer, query=query, **more)

    def post(
        self, template: str, answer: Answer, body: Body, *, writes: bool = True, **more: Unpack[Further]
    ) -> Declare:
        """Declare a create, or a search with `writes=False`."""
        return self.add("POST", template, answer, body=body, writes=writes, **more)

    def put(self, template: str, answer: Answer, body: Body, **more: Unpack[Further]) -> Declare:
        """Declare a full update."""
        return self.add("PUT", template, answer, body=body, writes=True, **more)

    def patch(self, template: str, answer: Answer, body: Body) -> Declare:
        """Declare a JSON Patch update."""
        return self.add("PATCH", template, answer, body=body, writes=True)

    def delete(self, template: str, answer: Answer, *, query: str = "", **more: Unpack[Further]) -> Declare:
        """Declare a removal."""
        return self.add("DELETE", template, answer, query=query, writes=True, **more)

    def add(
        self,
        method: str,
        template: str,
        answer: Answer,
        *,
        query: str = "",
        body: Body | None = None,
        writes: bool = False,
        **more: Unpack[Further],
    ) -> Declare:
        """Declare an operation answered by the decorated function, which stays callable by itself."""

        def declare(handler: Handler) -> Handler:
            parameters = tuple(fields(query)) if query else ()
            self.operations.append(
                Operation(
                    method, template, handler, answer, self.tag, query=parameters, body=body, writes=writes, **more
                ),
            )
            return handler

        return declare


@dataclass(frozen=True, slots=True)
class Operations:
    """The table of every operation, and the way from a request line to its row."""

    rows: tuple[Operation, ...]

    @classmethod
    def of(cls, groups: Iterable[Group]) -> Operations:
        """Gather groups; templates with fewer parameters come first, so that `summary` is never taken for an id."""
        rows = [operation for group in groups for operation in group.operations]
        return cls(tuple(sorted(rows, key=lambda row: row.template.count("{"))))

    def offered(self, contract: Contract) -> tuple[Operation, ...]:
        """Return the operations that a contract has."""
        return tuple(row for row in self.rows if contract is Contract.EXTENDED or not row.is_extension)

    def match(self, method: str, path: str, contract: Contract) -> tuple[Operation | None, Record, bool]:
        """Return the operation, its raw path values, and whether any operation has this path at all."""
        is_known_path = False
        for row in self.offered(contract):
            found = row.pattern.match(path)
            if found is None:
                continue
            is_known_path = True
            if row.method == method:
                return row, found.groupdict(), True
        return None, {}, is_known_path


def one(shape: Shape | None = None) -> Answer:
    """Answer with one record in the envelope."""
    return Answer(Kind.ONE, shape)


def many(shape: Shape, *, paginated: bool = True) -> Answer:
    """Answer with a list in the envelope, without a total."""
    return Answer(Kind.LIST, shape, paginated)


def paged(shape: Shape) -> Answer:
    """Answer with one page of a list, and with `TotalRecords`."""
    return Answer(Kind.PAGED, shape)


def bare(shape: Shape) -> Answer:
    """Answer with one record outside any envelope."""
    return Answer(Kind.BARE, shape)


NOTHING = Answer(Kind.NOTHING)
FILE = Answer(Kind.FILE)
DOCUMENT = Answer(Kind.DOCUMENT)


def json_of(shape: Shape) -> Body:
    """Expect one JSON object."""
    return Body(shape)


def json_list_of(shape: Shape) -> Body:
    """Expect a JSON list of objects."""
    return Body(shape, many=True)


def form_of(shape: Shape) -> Body:
    """Expect a multipart or urlencoded form."""
    return Body(shape, is_form=True)
