"""Answers to what somebody types, kept in the process for a moment: a longer text only narrows a known answer."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

KEPT_FOR = timedelta(seconds=60)
KEPT_MOST = 500
ENOUGH = 20
"""So many choices are enough to show: a partial answer that still holds them is not asked for again."""

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Found(Generic[RowT]):
    """The records that a text finds; ``complete`` says that BMS has no others."""

    rows: tuple[RowT, ...]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class _Kept(Generic[RowT]):
    word: str
    found: Found[RowT]
    read_at: datetime


class RecentAnswers:
    """What was found for which text, by subject (a connection and a kind of record).

    BMS's filters mean "contains". So the complete answer to a text holds the answer to every longer text that contains
    it, and typing fifty characters asks BMS for the first two of them.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Start with nothing."""
        self._clock = clock
        self._kept: OrderedDict[tuple[Hashable, str], _Kept[object]] = OrderedDict()
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    async def find(
        self,
        subject: Hashable,
        text: str,
        *,
        ask: Callable[[str], Awaitable[Found[RowT]]],
        matches: Callable[[RowT, Sequence[str]], bool],
    ) -> Found[RowT]:
        """What the text finds: narrowed from a kept answer where one suffices, else asked for.

        ``ask`` gets the longest word alone, and ``matches`` tells whether a record contains every one of the words.
        One caller asks at a time for each subject, so that quick keystrokes wait for the first one's answer instead of
        asking side by side.
        """
        words = text.casefold().split()
        lock = self._locks.setdefault(subject, asyncio.Lock())
        async with lock:
            for kept in self._usable(subject, words):
                rows = tuple(row for row in kept.found.rows if matches(row, words))  # type: ignore[arg-type] # one subject, one kind of row
                if kept.found.complete or len(rows) >= ENOUGH:
                    return Found(rows, complete=kept.found.complete)  # type: ignore[arg-type] # as above
            word = max(words, key=len)
            found = await ask(word)
            self._keep(subject, word, found)
            return Found(tuple(row for row in found.rows if matches(row, words)), complete=found.complete)

    async def find_among(
        self,
        subject: Hashable,
        text: str,
        *,
        ask: Callable[[], Awaitable[Found[RowT]]],
        matches: Callable[[RowT, Sequence[str]], bool],
    ) -> Found[RowT]:
        """What the text finds in a list that BMS cannot search by text: read once, narrowed here."""
        lock = self._locks.setdefault(subject, asyncio.Lock())
        async with lock:
            kept = next(iter(self._usable(subject, [""])), None)
            if kept is None:
                found = await ask()
                self._keep(subject, "", found)
            else:
                found = kept.found  # type: ignore[assignment] # one subject, one kind of row
        words = text.casefold().split()
        return Found(tuple(row for row in found.rows if matches(row, words)), complete=found.complete)

    def forget(self, connection_id: str) -> None:
        """Drop what is kept of one connection; subjects begin with its id."""
        for key in [key for key in self._kept if isinstance(key[0], tuple) and key[0][0] == connection_id]:
            del self._kept[key]

    def _usable(self, subject: Hashable, words: Sequence[str]) -> list[_Kept[object]]:
        """Kept answers to a word that is part of one of these, the longest first."""
        oldest = self._clock() - KEPT_FOR
        candidates = [
            kept
            for (kept_subject, _), kept in self._kept.items()
            if kept_subject == subject and kept.read_at > oldest and any(kept.word in word for word in words)
        ]
        return sorted(candidates, key=lambda kept: -len(kept.word))

    def _keep(self, subject: Hashable, word: str, found: Found[RowT]) -> None:
        self._kept[subject, word] = _Kept(word, Found(found.rows, complete=found.complete), self._clock())
        self._kept.move_to_end((subject, word))
        while len(self._kept) > KEPT_MOST:
            self._kept.popitem(last=False)
