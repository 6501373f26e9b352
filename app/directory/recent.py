"""Answers to what somebody types, kept in the process for a moment: a longer text only narrows a known answer."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

KEPT_FOR = timedelta(seconds=60)
KEPT_MOST = 500
ENOUGH = 20
"""So many choices are enough to show: a partial answer that still holds them is not asked for again."""

CALLS_MOST = 5
"""So many BMS calls at most go into one text, however many letters are typed."""

SPREE = timedelta(seconds=20)
"""Calls that far back are forgotten: whoever still types after that is looking for something else."""

GROWN = 2
"""A word that an answer was partial for is worth asking again when it has grown this many times longer."""

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Found(Generic[RowT]):
    """The records that a text finds; ``complete`` says that BMS has no others, ``calls`` how often it was asked."""

    rows: tuple[RowT, ...]
    complete: bool = True
    calls: int = 1


@dataclass(frozen=True, slots=True)
class _Kept(Generic[RowT]):
    word: str
    found: Found[RowT]
    read_at: datetime


class RecentAnswers:
    """What was found for which text, by subject (a connection and a kind of record).

    BMS's filters mean "contains". So the complete answer to a text holds the answer to every longer text that contains
    it, and typing fifty characters asks BMS for the first two of them. Where the first two find more than BMS tells at
    once, longer texts are asked for as well, each much longer than the one before, within five calls.
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
        ask: Callable[[str, int], Awaitable[Found[RowT]]],
        matches: Callable[[RowT, Sequence[str]], bool],
    ) -> Found[RowT]:
        """What the text finds: narrowed from a kept answer where one suffices, else asked for.

        ``ask`` gets one word and how many calls it may make; ``matches`` tells whether a record contains every word.
        One caller asks at a time for each subject, so that quick keystrokes wait for the first one's answer instead of
        asking side by side.
        """
        words = text.casefold().split()
        lock = self._locks.setdefault(subject, asyncio.Lock())
        async with lock:
            usable = self._usable(subject, words)
            seen: dict[RowT, None] = {}
            for kept in usable:
                held: tuple[RowT, ...] = kept.found.rows  # type: ignore[assignment] # one subject, one kind of row
                rows = dict.fromkeys(row for row in held if matches(row, words))
                if kept.found.complete:
                    return Found(tuple(rows), calls=0)
                seen |= rows
            left = CALLS_MOST - sum(kept.found.calls for kept in usable if self._is_recent(kept))
            word = self._worth_asking(words, usable)
            if len(seen) >= ENOUGH or left <= 0 or word is None:
                return Found(tuple(seen), complete=False, calls=0)
            found = await ask(word, left)
            self._keep(subject, word, found)
            matching = (row for row in found.rows if matches(row, words))
            # What a partial answer leaves out, an earlier one may have held.
            rows = dict.fromkeys(matching) if found.complete else dict.fromkeys(matching) | seen
            return replace(found, rows=tuple(rows))

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

    def _worth_asking(self, words: Sequence[str], usable: Sequence[_Kept[object]]) -> str | None:
        """The longest word that says enough more than what was asked for before."""

        def asked_before(word: str, kept: _Kept[object]) -> bool:
            grown = len(word) >= GROWN * len(kept.word)
            return kept.word == word or (kept.word in word and self._is_recent(kept) and not grown)

        # A single letter beside longer words says nothing.
        longest = max(map(len, words))
        candidates = [
            word
            for word in words
            if len(word) >= min(longest, 2) and not any(asked_before(word, kept) for kept in usable)
        ]
        return max(candidates, key=len, default=None)

    def _is_recent(self, kept: _Kept[object]) -> bool:
        return kept.read_at > self._clock() - SPREE

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
        self._kept[subject, word] = _Kept(word, Found(found.rows, found.complete, found.calls), self._clock())
        self._kept.move_to_end((subject, word))
        while len(self._kept) > KEPT_MOST:
            self._kept.popitem(last=False)
