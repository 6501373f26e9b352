"""The scenes, each with what must be true after it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from demo import checks
from demo.checks import Check
from demo.quotes import BACKUP, MOVE, PRINTERS, RENEWAL, REVIEW, WIRELESS, Quote
from demo.stage import Answer, Stage

UPDATES = 30
OPPORTUNITIES = "/v2/crm/opportunities"
OPPORTUNITY = "/v2/crm/opportunities/{id}"
WAREHOUSE = 201  # the sandbox's only one


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One thing that happens to a quote. ``play`` returns how the webhook answered its last delivery, if it got one."""

    title: str
    quote: Quote
    play: Callable[[Stage], Answer | None]
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All scenes, and what BMS must hold beyond what it held before: names by collection, and nothing else."""

    scenes: tuple[Scene, ...]
    made: Mapping[str, tuple[str, ...]]


NAMES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "accounts": lambda row: str(row["accountName"]),
    "contacts": lambda row: f"{row['firstName']} {row['lastName']}",
    "opportunities": lambda row: str(row["subject"]),
    "opportunity_notes": lambda row: str(row["note"]),
    "quotations": lambda row: str(row["name"]),
    "services": lambda row: str(row["name"]),
    "products": lambda row: str(row["productNumber"]),
    "attachments": lambda row: str(row["originalFileName"])[: len("Quote 2001")],
}
"""What each collection's records are told apart by."""


def tell(contract: str) -> Story:
    """The story under the published contract, or the extended one that can also make quotations and products."""
    adopting = contract == "published"
    scenes = (
        _created(adopting=adopting),
        *((_header_made_by_hand(),) if adopting else ()),
        _redelivered(),
        _unchanged(),
        _burst(),
        _won(),
        _second_quote(adopting=adopting),
        _lost(adopting=adopting),
        _expired(),
        _unpriced(adopting=adopting),
        _warehouse_vanished(),
        _warehouse_back(adopting=adopting),
        _answer_lost(adopting=adopting),
    )
    synced = (RENEWAL, WIRELESS, REVIEW, MOVE, BACKUP)
    made = {
        "accounts": (RENEWAL.account,),
        "contacts": (" ".join(RENEWAL.person[:2]),),
        "opportunities": tuple(quote.subject for quote in synced),
        "opportunity_notes": (),
        "quotations": tuple(quote.subject for quote in (synced[:1] if adopting else synced)),
        "services": ("NET-CARE",),
        "products": () if adopting else ("RS-1",),
        "attachments": (f"Quote {RENEWAL.number}",),
    }
    return Story(scenes=scenes, made=made)


def _sent(kind: str, quote: Quote, *, webhook_id: str | None = None) -> Callable[[Stage], Answer]:
    """Deliver one event and wait until it has been carried over."""

    def play(stage: Stage) -> Answer:
        answer = stage.deliver(kind, quote, webhook_id=webhook_id)
        stage.settle(quote)
        return answer

    return play


def _waiting(*, adopting: bool) -> tuple[str, ...]:
    return ("quotation_waiting_for_header",) if adopting else ()


NOT_SENT = ("tax_not_sent", "shipping_not_sent", "optional_line_skipped")
FIRST_LINES = ("2 x Switch 24 ports at 456.00", "1 x Rack shelf at 85.00", "6 x Senior engineer hour at 175.00")
CARE_LINE = "1 x Managed network at 240.00"


def _created(*, adopting: bool) -> Scene:
    return Scene(
        title="created, with lines and PDF",
        quote=RENEWAL,
        play=_sent("created", RENEWAL),
        checks=(
            checks.answered("202 accepted"),
            checks.is_in_step(),
            checks.opportunity("Quoted", 50, "2,047.00"),
            checks.quotation(*(() if adopting else (*FIRST_LINES, CARE_LINE))),
            checks.files(1),
            checks.warned(*NOT_SENT, *_waiting(adopting=adopting)),
        ),
    )


def _header_made_by_hand() -> Scene:
    """BMS's published API cannot make a quotation: a person makes an empty one, and it is filled."""

    def play(stage: Stage) -> None:
        shown = stage.quote(RENEWAL)
        header = {"OpportunityId": int(shown["kaseya"]["opportunity_id"]), "WarehouseId": WAREHOUSE}
        stage.bms("POST", "/quotations", header)
        stage.of_connection("POST", f"/quotes/{RENEWAL.quote_id}/sync")
        stage.settle(RENEWAL)

    return Scene(
        title="an empty quotation made by hand in BMS",
        quote=RENEWAL,
        play=play,
        checks=(
            checks.is_in_step(),
            checks.opportunity("Quoted", 50, "2,047.00"),
            checks.quotation(*FIRST_LINES, CARE_LINE),
            checks.files(1),
            checks.warned(*NOT_SENT, "product_not_created"),
        ),
    )


def _redelivered() -> Scene:
    """The same delivery once more, as a sender does that got no answer."""
    return Scene(
        title="delivered a second time",
        quote=RENEWAL,
        play=_sent("created", RENEWAL),
        checks=(checks.answered("202 duplicate"), checks.is_in_step(), checks.no_calls(), checks.files(1)),
    )


def _unchanged() -> Scene:
    again = replace(RENEWAL, version=RENEWAL.version + 1)
    return Scene(
        title="updated, with nothing changed",
        quote=RENEWAL,
        play=_sent("updated", again),
        checks=(checks.answered("202 accepted"), checks.is_in_step(), checks.no_calls()),
    )


def _burst() -> Scene:
    """Somebody drags a slider in the frontend: many updates, of which BMS needs the last."""

    def play(stage: Stage) -> Answer:
        quote = replace(RENEWAL, version=RENEWAL.version + 1)
        answers = set()
        for quantity in range(7, 7 + UPDATES):
            quote = quote.with_quantity("hours", quantity)
            answers.add(stage.deliver("updated", quote))
        stage.settle(quote)
        return answers.pop() if len(answers) == 1 else Answer(0, f"differed: {sorted(map(str, answers))}")

    lines = (*FIRST_LINES[:2], "36 x Senior engineer hour at 175.00", CARE_LINE)
    return Scene(
        title=f"updated {UPDATES} times in a burst",
        quote=RENEWAL,
        play=play,
        checks=(
            checks.answered("202 accepted"),
            checks.is_in_step(),
            checks.opportunity("Quoted", 50, "7,297.00"),
            checks.quotation(*lines),
            checks.calls_at_most(f"PUT {OPPORTUNITY}", 2),
            checks.calls(f"POST {OPPORTUNITIES}", 0),
            # That the shelf is free text is told by the run that put it in; this one changed another line.
            checks.warned(*NOT_SENT),
        ),
    )


def _won() -> Scene:
    version = RENEWAL.version + UPDATES + 2
    won = replace(RENEWAL.with_quantity("hours", 36), status="accepted", version=version)
    return Scene(
        title="won",
        quote=RENEWAL,
        play=_sent("won", won),
        checks=(
            checks.is_in_step(),
            checks.opportunity("Won", 100, "7,297.00"),
            checks.quotations(1),
            checks.calls(f"PUT {OPPORTUNITY}", 1),
            checks.files(1),
        ),
    )


def _second_quote(*, adopting: bool) -> Scene:
    return Scene(
        title="created, for an account that BMS has",
        quote=WIRELESS,
        play=_sent("created", WIRELESS),
        checks=(
            checks.is_in_step(),
            checks.opportunity("Quoted", 50, "700.00"),
            checks.quotation(*(() if adopting else ("4 x Senior engineer hour at 175.00",))),
            checks.warned(*_waiting(adopting=adopting)),
        ),
    )


def _lost(*, adopting: bool) -> Scene:
    return Scene(
        title="lost",
        quote=WIRELESS,
        play=_sent("lost", replace(WIRELESS, status="lost", version=2)),
        checks=(
            checks.is_in_step(),
            checks.opportunity("Lost", 0, "700.00"),
            checks.quotations(0 if adopting else 1),
        ),
    )


def _expired() -> Scene:
    return Scene(
        title="created, three days after its expiry",
        quote=PRINTERS,
        play=lambda stage: stage.deliver("created", PRINTERS),
        checks=(checks.answered("422 quote-expired"), checks.no_opportunity(), checks.no_calls()),
    )


def _unpriced(*, adopting: bool) -> Scene:
    return Scene(
        title="created, one service without a cost",
        quote=REVIEW,
        play=_sent("created", REVIEW),
        checks=(
            checks.is_in_step(),
            checks.opportunity("Quoted", 50, "710.00"),
            checks.quotation(*(() if adopting else ("2 x Senior engineer hour at 175.00",))),
            checks.warned("service_line_unpriced", "total_differs", *_waiting(adopting=adopting)),
        ),
    )


def _warehouse_vanished() -> Scene:
    def play(stage: Stage) -> Answer:
        stage.bms("DELETE", f"/warehouses/{WAREHOUSE}")
        return _sent("created", MOVE)(stage)

    return Scene(
        title="created, but the warehouse has gone from BMS",
        quote=MOVE,
        play=play,
        checks=(
            checks.answered("202 accepted"),
            checks.waits_for_a_person("setting-reference-gone"),
            checks.no_opportunity(),
            checks.calls(f"POST {OPPORTUNITIES}", 0),
        ),
    )


def _warehouse_back(*, adopting: bool) -> Scene:
    """A new warehouse is made in BMS and chosen in the settings: saving them tries the quote again."""

    def play(stage: Stage) -> None:
        made = stage.bms("POST", "/warehouses", {"Name": "New warehouse"})
        stage.save_warehouse(made["id"])
        stage.settle(MOVE)

    return Scene(
        title="another warehouse chosen, settings saved",
        quote=MOVE,
        play=play,
        checks=(
            checks.is_in_step(),
            checks.opportunity("Quoted", 50, "2,800.00"),
            checks.quotation(*(() if adopting else ("16 x Senior engineer hour at 175.00",))),
            checks.warned(*_waiting(adopting=adopting)),
        ),
    )


def _answer_lost(*, adopting: bool) -> Scene:
    """BMS makes the opportunity, but its answer never arrives: it is looked for, and found, not made again."""

    def play(stage: Stage) -> Answer:
        stage.bms("POST", "/faults", {"kind": "drop_after", "method": "POST", "template": OPPORTUNITIES})
        return _sent("created", BACKUP)(stage)

    return Scene(
        title="created, and BMS's answer got lost",
        quote=BACKUP,
        play=play,
        checks=(
            checks.is_in_step(),
            checks.opportunity("Quoted", 50, "525.00"),
            checks.calls(f"POST {OPPORTUNITIES}", 1),
            checks.quotation(*(() if adopting else ("3 x Senior engineer hour at 175.00",))),
        ),
    )
