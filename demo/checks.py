"""What must be true after a scene: each check compares what BMS holds, or what was said, with what should be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from demo.quotes import Quote
from demo.stage import Answer

State = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What BMS holds of one quote, found by the opportunity's subject as a person would find it."""

    opportunities: tuple[str, ...]
    quotations: tuple[str, ...]
    lines: tuple[str, ...]
    files: int

    @classmethod
    def read(cls, state: State, quote: Quote) -> "Held":
        """Pick one quote's records from the sandbox's state."""
        opportunities = [each for each in state["opportunities"] if each["subject"] == quote.subject]
        ids = {each["id"] for each in opportunities}
        quotations = [each for each in state["quotations"] if each["opportunityId"] in ids]
        numbers = {each["id"] for each in quotations}
        lines = [each for each in state["lines"] if each["quotationId"] in numbers]
        return cls(
            opportunities=tuple(_opportunity(each) for each in opportunities),
            quotations=tuple(_quotation(each, lines) for each in quotations),
            lines=tuple(f"{each['quantity']:g} x {each['name']} at {money(each['unitPrice'])}" for each in lines),
            files=sum(each["objectId"] in ids for each in state["attachments"]),
        )

    def sentence(self) -> str:
        """All of it, for the table."""
        files = ("PDF",) * bool(self.files)
        return "; ".join((*self.opportunities, *self.quotations, *files)) or "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a scene came to. ``calls`` are BMS calls by method and path template; ``issues`` the codes of open ones."""

    answer: Answer | None
    state: str | None
    warnings: tuple[str, ...]
    issues: tuple[str, ...]
    calls: Mapping[str, int]
    held: Held

    @property
    def call_count(self) -> int:
        """How many calls BMS got, of any kind."""
        return sum(self.calls.values())


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so: ``found`` of the outcome must be ``wanted``, or no more than that."""

    what: str
    wanted: Any
    found: Callable[[Outcome], Any]
    at_most: bool = False

    def fault(self, outcome: Outcome) -> str | None:
        """A sentence where it is not so."""
        found = self.found(outcome)
        fine = found <= self.wanted if self.at_most else found == self.wanted
        limit = "at most " if self.at_most else ""
        return None if fine else f"{self.what} should be {limit}{_shown(self.wanted)}, but is {_shown(found)}."


def answered(text: str) -> Check:
    """How the webhook answered."""
    return Check("the answer to the delivery", text, lambda outcome: str(outcome.answer))


def opportunity(status: str, probability: int, amount: str) -> Check:
    """BMS has exactly one opportunity of the quote's name, and it is so."""
    wanted = (f"{status} ({probability} %), {amount}",)
    return Check("what BMS has as opportunity", wanted, lambda outcome: outcome.held.opportunities)


def no_opportunity() -> Check:
    """BMS has nothing of the quote."""
    return Check("what BMS has as opportunity", (), lambda outcome: outcome.held.opportunities)


def quotation(*lines: str) -> Check:
    """BMS has exactly these lines, in this order: ``2 x Name at 10.00``."""
    return Check("the lines of the quotation", lines, lambda outcome: outcome.held.lines)


def quotations(count: int) -> Check:
    """BMS has so many quotations of the quote's opportunity."""
    return Check("the number of quotations", count, lambda outcome: len(outcome.held.quotations))


def files(count: int) -> Check:
    """So many files are attached to the opportunity."""
    return Check("the number of attached files", count, lambda outcome: outcome.held.files)


def warned(*codes: str) -> Check:
    """The quote's warnings are these, in any order."""
    return Check("the list of warnings", tuple(sorted(codes)), lambda outcome: tuple(sorted(outcome.warnings)))


def waits_for_a_person(code: str) -> Check:
    """The quote stopped with one open issue of this code."""
    return Check("the list of open issues", (code,), lambda outcome: outcome.issues)


def is_in_step() -> Check:
    """The quote is synced and no issue of it is open."""
    return Check("the quote's state", ("synced", ()), lambda outcome: (outcome.state, outcome.issues))


def no_calls() -> Check:
    """BMS was not called at all."""
    return Check("the number of BMS calls", 0, lambda outcome: outcome.call_count)


def calls(endpoint: str, count: int) -> Check:
    """BMS got exactly so many calls to ``METHOD template``."""
    return Check(f"the number of calls to {endpoint}", count, lambda outcome: outcome.calls.get(endpoint, 0))


def calls_at_most(endpoint: str, count: int) -> Check:
    """BMS got no more calls to ``METHOD template``."""
    what = f"the number of calls to {endpoint}"
    return Check(what, count, lambda outcome: outcome.calls.get(endpoint, 0), at_most=True)


def money(amount: float) -> str:
    """An amount of BMS's, to the cent."""
    return f"{Decimal(str(amount)):,.2f}"


def _opportunity(row: Mapping[str, Any]) -> str:
    return f"{row['status']} ({row['probability']:g} %), {money(row['amount'])}"


def _quotation(row: Mapping[str, Any], lines: list[dict[str, Any]]) -> str:
    own = [each for each in lines if each["quotationId"] == row["id"]]
    noun = "line" if len(own) == 1 else "lines"
    return f"quotation with {len(own)} {noun}, {money(sum(each['total'] for each in own))}"


def _shown(value: object) -> str:
    return "; ".join(map(str, value)) or "nothing" if isinstance(value, tuple) else str(value)
