"""The floor: what a perfect planner still has to ask of BMS for a workload, under the same rules. Pure.

What it assumes, each as favourable as the rules allow:

- **Runs**: created, won and lost go at once; updates wait until it was quiet for 2 s, for 15 s at most.
- **Account and contact**: one search by each quote, since people rename and deactivate them in BMS; one POST for each
  that is missing. Of an account that is new there is no contact to search for.
- **Opportunity**: one POST; then one GET and one PUT in each run that changes it, since BMS only takes it whole and
  its users own some of its fields.
- **Quotation**: one POST. Where the API cannot create it: one list and one GET to find the one that somebody made.
- **Lines**: one POST each; one PUT for each changed one, one DELETE (else PUT) for each that goes.
- **Items** that no quote before had: one call for each, two (by code, and then by name) for each that is missing, or
  the pages of the list where these are fewer; one POST for each that is missing. A product that the API cannot create
  is asked for again by each quote that has it.
- **PDF**: one upload for each version that is not overtaken, one DELETE of the version before.
- **Look-ups** (statuses, employees, warehouses): each once in every five minutes with a run, because a record that has
  gone from BMS has to be noticed.
- **Sign-in**: one, and one refresh in the life of each token.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from benchmarks.calls.workload import Event, Item, Quote, State, Workload

QUIET, AT_MOST = timedelta(seconds=2), timedelta(seconds=15)
LOOK_UPS_KEPT = timedelta(minutes=5)
TOKEN_LIFE = timedelta(minutes=15)
PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Which BMS a workload is played on, and whether quotations are wanted."""

    contract: str = "extended"
    with_lines: bool = True

    @property
    def is_extended(self) -> bool:
        """Whether the API can make quotations and products, and delete lines."""
        return self.contract == "extended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What has to be brought to BMS at one time: the quote's newest state, after the state of the run before."""

    at: datetime
    quote: Quote
    state: State
    before: State | None
    number: int


def floor_of(workload: Workload, terms: Terms, *, is_new: bool = True) -> Counter[str]:
    """The least calls by kind; of a connection that is not new, earlier quotes have had every item."""
    runs = sorted((run for quote in workload.quotes for run in runs_of(quote)), key=lambda run: run.at)
    planner = _Planner(terms, in_bms=_known(workload.items))
    if not is_new:
        planner.make_items(workload.items)
    for run in runs:
        planner.carry_over(run)
    planner.calls["sign-ins"] = 1 + int((runs[-1].at - runs[0].at) / TOKEN_LIFE)
    return planner.calls


def runs_of(quote: Quote) -> Iterator[Run]:
    """The runs that debounce leaves of a quote's events."""
    waiting: list[Event] = []
    before: State | None = None
    number = 0
    for event, following in zip(quote.events, (*quote.events[1:], None), strict=True):
        waiting.append(event)
        due = event.at if event.kind != "updated" else min(event.at + QUIET, waiting[0].at + AT_MOST)
        if following is None or following.at > due:
            number += 1
            yield Run(at=due, quote=quote, state=event.state, before=before, number=number)
            before, waiting = event.state, []


def _known(items: Iterable[Item]) -> Mapping[str, int]:
    """How many items of each kind BMS has."""
    return Counter(item.kind for item in items if item.is_known)


@dataclass(slots=True)
class _Planner:
    """Counts the calls of runs in their order."""

    terms: Terms
    in_bms: Mapping[str, int]
    calls: Counter[str] = field(default_factory=Counter)
    _customers: set[str] = field(default_factory=set)
    _items: set[str] = field(default_factory=set)
    _looked_up_at: datetime | None = None

    def carry_over(self, run: Run) -> None:
        """One run."""
        self._look_up(run.at)
        if run.before is None:
            self._customer(run)
            self.calls["opportunity: create"] += 1
        elif (run.before.total, run.before.status) != (run.state.total, run.state.status):
            self.calls["opportunity: read and write"] += 2
        if run.before is None or run.before.document != run.state.document:
            self.calls["pdf: upload"] += 1
            self.calls["pdf: remove"] += run.before is not None
        if self.terms.with_lines:
            self._quotation(run)

    def _look_up(self, at: datetime) -> None:
        if self._looked_up_at is None or at - self._looked_up_at >= LOOK_UPS_KEPT:
            self._looked_up_at = at
            self.calls["look-ups"] += 3 if self.terms.with_lines else 2

    def _customer(self, run: Run) -> None:
        customer = run.quote.customer
        is_there = customer.is_known or customer.name in self._customers
        self._customers.add(customer.name)
        self.calls["account: search"] += 1
        self.calls["contact: search"] += is_there
        self.calls["account: create"] += not is_there
        self.calls["contact: create"] += not is_there

    def _quotation(self, run: Run) -> None:
        """The quotation is there from the first run on, or from the second where a person makes it after the first."""
        first = 1 if self.terms.is_extended else 2
        if run.number < first:
            return
        if run.number == first:
            self.calls["quotation: create" if self.terms.is_extended else "quotation: find"] += first
        lines = {} if run.number == first or run.before is None else {each.line_id: each for each in run.before.lines}
        wanted = {each.line_id: each for each in run.state.lines}
        added = [line for line_id, line in wanted.items() if line_id not in lines]
        self._items_of({line.item.code: line.item for line in added})
        self.calls["line: add"] += len(added)
        self.calls["line: change"] += sum(
            line_id in lines and lines[line_id] != line for line_id, line in wanted.items()
        )
        self.calls["line: remove"] += len(lines.keys() - wanted.keys())

    def _items_of(self, wanted: Mapping[str, Item]) -> None:
        new = [item for code, item in wanted.items() if code not in self._items]
        for kind, in_bms in self.in_bms.items():
            asked = sum(1 if item.is_known else 2 for item in new if item.kind == kind)
            self.calls["item: search"] += min(asked, ceil(in_bms / PAGE))
        self.calls["item: create"] += self.make_items(new)

    def make_items(self, items: Iterable[Item]) -> int:
        """Know these items from now on, as far as BMS can have them; gives how many had to be made."""
        possible = [item for item in items if item.is_known or item.kind == "service" or self.terms.is_extended]
        self._items.update(item.code for item in possible)
        return sum(not item.is_known for item in possible)
