import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from app.directory.recent import CALLS_MOST, ENOUGH, KEPT_FOR, SPREE, Found, RecentAnswers

NAMES = ("anna", "anton", "berta", "hanna")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Book:
    """A list that is asked as BMS is, and keeps what it was asked for."""

    def __init__(self, names: Sequence[str] = NAMES, *, most: int = 1000) -> None:
        self.names, self.most, self.asked = names, most, list[str]()

    async def ask(self, word: str, calls: int) -> Found[str]:
        assert calls > 0
        self.asked.append(word)
        await asyncio.sleep(0)
        rows = [name for name in self.names if word in name]
        return Found(tuple(rows[: self.most]), complete=len(rows) <= self.most)


def matches(row: str, words: Sequence[str]) -> bool:
    return all(word in row for word in words)


async def find(recent: RecentAnswers, book: Book, text: str, subject: str = "one") -> Found[str]:
    return await recent.find((subject, "names"), text, ask=book.ask, matches=matches)


async def test_a_longer_text_narrows_the_answer_to_a_shorter_one() -> None:
    recent, book = RecentAnswers(Clock()), Book()
    assert (await find(recent, book, "an")).rows == ("anna", "anton", "hanna")
    assert (await find(recent, book, "ANN")).rows == ("anna", "hanna")
    assert (await find(recent, book, "hann")).rows == ("hanna",)
    assert book.asked == ["an"]


async def test_a_text_that_holds_no_kept_one_is_asked_for() -> None:
    recent, book = RecentAnswers(Clock()), Book()
    await find(recent, book, "an")
    assert (await find(recent, book, "be")).rows == ("berta",)
    assert (await find(recent, book, "a")).rows == NAMES
    assert book.asked == ["an", "be", "a"]


async def test_only_the_longest_of_several_words_is_asked_for() -> None:
    recent, book = RecentAnswers(Clock()), Book()
    assert (await find(recent, book, "h anna")).rows == ("hanna",)
    assert book.asked == ["anna"]


async def test_an_incomplete_answer_serves_while_it_holds_enough() -> None:
    names = [f"anna {number}" for number in range(ENOUGH)] + ["annabel"]
    recent, book = RecentAnswers(Clock()), Book(names, most=ENOUGH)
    assert (await find(recent, book, "an")).complete is False
    assert len((await find(recent, book, "anna")).rows) == ENOUGH
    assert book.asked == ["an"]
    assert await find(recent, book, "annab") == Found(("annabel",))
    assert book.asked == ["an", "annab"]


async def test_a_list_too_large_to_tell_is_asked_for_five_times_a_text_at_most() -> None:
    clock = Clock()
    names = [f"example widgets of springfield {number}" for number in range(500)]
    recent, book = RecentAnswers(clock), Book(names, most=9)
    text = "example widgets of springfield in"
    for length in range(2, len(text) + 1):
        await find(recent, book, text[:length])
    assert len(book.asked) == CALLS_MOST
    clock.now += SPREE
    await find(recent, book, "springfield 499")
    assert len(book.asked) == CALLS_MOST + 1


async def test_a_longer_word_finds_what_the_first_page_did_not_hold() -> None:
    recent, book = RecentAnswers(Clock()), Book([f"anna {number}" for number in range(50)] + ["annabel"], most=ENOUGH)
    assert "annabel" not in (await find(recent, book, "an")).rows
    assert (await find(recent, book, "anna annabel")).rows == ("annabel",)


async def test_answers_are_kept_for_a_moment_only() -> None:
    clock = Clock()
    recent, book = RecentAnswers(clock), Book()
    await find(recent, book, "an")
    clock.now += KEPT_FOR - timedelta(seconds=1)
    await find(recent, book, "an")
    assert len(book.asked) == 1
    clock.now += timedelta(seconds=1)
    await find(recent, book, "an")
    assert len(book.asked) == 2


async def test_one_connections_answers_are_never_anothers() -> None:
    recent, book, other = RecentAnswers(Clock()), Book(), Book(("anders",))
    await find(recent, book, "an")
    assert (await find(recent, other, "an", subject="other")).rows == ("anders",)


async def test_keystrokes_that_come_together_wait_for_the_first_ones_answer() -> None:
    recent, book = RecentAnswers(Clock()), Book()
    found = await asyncio.gather(*(find(recent, book, text) for text in ("an", "ann", "anna")))
    assert [len(each.rows) for each in found] == [3, 2, 2]
    assert book.asked == ["an"]
