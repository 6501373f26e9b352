"""Which news of a quote is newer, and how far a won quote has come."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.quotes.model import WON_STAGES, Status


class Verdict(StrEnum):
    """What an incoming event is, beside what is known."""

    NEWER = "newer"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What decides the order of two events of one quote; ``timestamp`` is the frontend's own."""

    revision: int
    version: int | None
    timestamp: datetime
    status: Status


def merge(known: Standing | None, incoming: Standing, *, undated: bool = False) -> Verdict:
    """Decide whether ``incoming`` replaces what is known; a tie leaves the first.

    The highest revision rules. Within one, the higher version if both have one, else the later timestamp: the order of
    arrival means nothing.

    An ``undated`` frontend says neither version nor time, so the order of arrival is all there is. A late retry must
    not reopen a decided quote then: its *pending* after won or lost counts only with a higher revision.
    """
    return Verdict.NEWER if known is None or _is_newer(known, incoming, undated=undated) else Verdict.SUPERSEDED


def _is_newer(known: Standing, incoming: Standing, *, undated: bool) -> bool:
    if incoming.revision != known.revision:
        return incoming.revision > known.revision
    if incoming.version is not None and known.version is not None:
        return incoming.version > known.version
    if undated:
        return incoming.status.is_decided or not known.status.is_decided
    return incoming.timestamp > known.timestamp


def status_to_keep(known: Status, incoming: Status) -> Status:
    """The status after newer news: accepted, ordered and fulfilled only move on; anything else is taken as it comes."""
    if known.is_won and incoming.is_won:
        return max(known, incoming, key=WON_STAGES.index)
    return incoming
