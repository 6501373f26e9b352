"""The JSON webhook's body: what is taken, what is refused, and where it says so."""

import json
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.intake.problems import InvalidEventError
from app.intake.standard import canonical_json, content_digest, from_canonical, parse
from app.quotes.model import DiscountKind, Pdf, Quote, QuoteEvent, Status
from tests.intake.samples import body, event

ABSENT = object()
REQUIRED = {"quote_id", "name", "status", "currency", "account", "totals", "lines"}
ODD_PRICES = (12, 1.5, "1e3", "NaN", "", " 1", "1,000", "1" * 16, "0.1234567", "+1", "٣", True)
ODD_TIMES = (
    "2030-01-01T10:00:00",
    "2030-01-01",
    1893456000,
    "2030-13-01T10:00:00Z",
    "0001-01-01T00:00:00+14:00",
)


def _with(path: str, value: object) -> dict[str, Any]:
    """The sample event with one place changed."""
    changed: Any = event()
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")[1:]]
    place = changed
    for part in parents:
        place = place[part]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return changed  # type: ignore[no-any-return]


def _pointers(content: bytes) -> list[str]:
    with pytest.raises(InvalidEventError) as caught:
        parse(content)
    assert all(error.message.endswith(".") for error in caught.value.errors)
    return [error.pointer for error in caught.value.errors]


def test_an_event_becomes_the_canonical_quote() -> None:
    quote = parse(body(event())).quote
    assert quote.lines[0].unit_price == Decimal(1250)
    assert quote.account.address.city == "Leeds"
    assert quote.taxes[0].amount == 490


@pytest.mark.parametrize(
    "path",
    [
        *(f"/data/{name}" for name in ("quote_id", "name", "status", "currency", "account", "totals", "lines")),
        *(f"/data/lines/0/{name}" for name in ("line_id", "name", "quantity", "unit_price")),
        "/type",
        "/timestamp",
        "/data",
        "/data/totals/one_time",
    ],
)
def test_a_required_field_is_neither_left_out_nor_null(path: str) -> None:
    assert _pointers(body(_with(path, ABSENT))) == [path]
    assert _pointers(body(_with(path, None))) == [path]


@pytest.mark.parametrize("name", sorted(event()["data"].keys() - REQUIRED))
def test_every_other_field_may_be_null_or_left_out(name: str) -> None:
    assert parse(body(_with(f"/data/{name}", None))) == parse(body(_with(f"/data/{name}", ABSENT)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *(("/data/lines/0/unit_price", value) for value in ODD_PRICES),
        *(("/data/lines/0/quantity", value) for value in ("-1", 2, "x")),
        *(("/data/quote_id", value) for value in ("", "a/b", "a b", "x" * 129, "q\n", 7)),
        *(("/data/lines/0/line_id", value) for value in ("", "ü", "x" * 129)),
        *(("/timestamp", value) for value in ODD_TIMES),
        *(("/data/expires_on", value) for value in ("2030-02-30", "20300201", "2030-02-01T00:00:00Z", 5)),
        *(("/data/version", value) for value in (True, -1, 1.5, "1", 2**63)),
        *(("/data/revision", value) for value in (False, -1, 2**31)),
        *(("/data/opportunity/kaseya_opportunity_id", value) for value in (0, -1, 2**31, True, "x", "07", "", 1.0)),
        *(("/data/currency", value) for value in ("EU", "EURO", "€€€")),
        ("/data/name", "   "),
        ("/data/lines/0/optional", "true"),
        ("/data/lines/0/discount_kind", "half"),
        ("/data/account", []),
        ("/data/status", "won"),
        ("/data/status", "lost"),
        ("/type", "quote.deleted"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_at_its_place(path: str, value: object) -> None:
    assert _pointers(body(_with(path, value))) == [path]


def test_an_account_needs_a_name_or_an_id() -> None:
    assert _pointers(body(_with("/data/account", {"name": "  "}))) == ["/data/account"]
    assert parse(body(_with("/data/account", {"kaseya_account_id": "12"}))).quote.account.kaseya_account_id == 12


def test_a_repeated_line_id_is_refused_where_it_comes_again() -> None:
    line = event()["data"]["lines"][0]
    assert _pointers(body(_with("/data/lines", [line, line]))) == ["/data/lines/1/line_id"]


def test_a_thousand_lines_are_taken_and_one_more_is_not() -> None:
    line = event()["data"]["lines"][0]
    lines = [{**line, "line_id": f"l-{number}"} for number in range(1001)]
    assert len(parse(body(_with("/data/lines", lines[:1000]))).quote.lines) == 1000
    assert _pointers(body(_with("/data/lines", lines))) == ["/data/lines"]


def test_a_pdf_must_be_base64() -> None:
    assert _pointers(body(_with("/data/pdf", {"content_base64": "AAA*"}))) == ["/data/pdf/content_base64"]
    assert parse(body(_with("/data/pdf", {"content_base64": "AAAA"}))).quote.pdf
    assert parse(body(_with("/data/pdf", {"filename": "a.pdf"}))).quote.pdf is None


@pytest.mark.parametrize(
    ("optional", "selected", "counts"),
    [(False, False, True), (None, None, True), (True, None, False), (True, False, False), (True, True, True)],
)
def test_only_an_option_can_be_unselected(optional: object, selected: object, counts: object) -> None:
    line = {**event()["data"]["lines"][0], "optional": optional, "selected": selected}
    assert parse(body(_with("/data/lines", [line]))).quote.lines[0].selected is counts


def test_a_blank_e_mail_is_none_and_a_negative_zero_is_zero() -> None:
    assert parse(body(_with("/data/contact/email", " "))).quote.contact.email is None  # type: ignore[union-attr]
    assert str(parse(body(_with("/data/discount", "-0.00"))).quote.discount) == "0"


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        (b"", ""),
        (b"\xff", ""),
        (b"[]", ""),
        (b'{"a":1}x', ""),
        (b"\xef\xbb\xbf{}", ""),
        (b'{"a":{"b":NaN}}', "/a/b"),
        (b'{"a":[1,-Infinity]}', "/a/1"),
        (b'{"a":1e999}', "/a"),
        (b'{"a":' + b"9" * 20 + b"}", "/a"),
        (b'{"a":' + b"9" * 5000 + b"}", "/a"),
        (b'{"a/b":{"~":1,"~":2}}', "/a~1b/~0"),
        (b'{"a":"x\\u0000"}', "/a"),
        (b'{"a":"\\uD83D"}', "/a"),
        (b'{"a":"\\ude00"}', "/a"),
        (b'{"\\u0000":1}', "/?"),
        (b"[" * 100_000, ""),
        (b"[" * 40 + b"]" * 40, "/0" * 33),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "/a" * 33),
    ],
)
def test_loose_json_is_refused_with_its_place(content: bytes, pointer: str) -> None:
    assert _pointers(content) == [pointer]


def test_a_whole_surrogate_pair_and_an_escaped_backslash_are_fine() -> None:
    plain = body(_with("/data/name", "Move NAME"))
    assert parse(plain.replace(b"NAME", b"\\ud83d\\ude00")).quote.name == "Move \U0001f600"
    assert parse(plain.replace(b"NAME", b"\\\\u0000")).quote.name == "Move \\u0000"


def test_unknown_fields_are_ignored_however_deep_they_are_allowed_to_be() -> None:
    deep: object = 1
    for _ in range(30):
        deep = [deep]
    assert parse(body({**event(), "extra": deep})) == parse(body(event()))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["1.5", "pending"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=200) | json_values.map(json.dumps).map(str.encode))
def test_garbage_is_an_invalid_event_and_nothing_else(content: bytes) -> None:
    with pytest.raises(InvalidEventError):
        parse(content)


@given(st.sampled_from(sorted(event()["data"])), json_values)
def test_any_value_in_any_field_is_taken_or_refused(name: str, value: object) -> None:
    with suppress(InvalidEventError):
        assert isinstance(parse(json.dumps(_with(f"/data/{name}", value)).encode()), QuoteEvent)


def test_the_digest_tells_content_and_not_the_version() -> None:
    first = parse(body(event())).quote
    assert content_digest(first) == content_digest(parse(body(_with("/data/version", 7))).quote)
    assert content_digest(first) == content_digest(parse(body(_with("/data/shipping", "10"))).quote)
    assert content_digest(first) != content_digest(parse(body(_with("/data/shipping", "10.01"))).quote)
    assert len(content_digest(first)) == 32


amounts = st.decimals(-(10**15), 10**15, places=6)
texts = st.none() | st.text(st.characters(codec="utf-8"), max_size=5)
days = st.none() | st.dates()
lines = st.builds(
    replace,
    st.just(parse(body(event())).quote.lines[0]),
    unit_price=st.none() | amounts,
    quantity=amounts,
    description=texts,
    optional=st.booleans(),
    discount_kind=st.sampled_from(DiscountKind),
)
quotes = st.builds(
    replace,
    st.just(parse(body(event())).quote),
    status=st.sampled_from(Status),
    version=st.none() | st.integers(0, 2**63 - 1),
    expires_on=days,
    won_on=days,
    number=texts,
    discount=amounts,
    pdf=st.none() | st.builds(Pdf, url=texts, filename=texts),
    lines=st.lists(lines, max_size=2).map(tuple),
)


@settings(max_examples=50)
@given(quotes)
def test_the_canonical_form_comes_back_as_it_went(quote: Quote) -> None:
    stored = canonical_json(quote)
    assert from_canonical(stored) == from_canonical(json.loads(stored)) == quote
    assert canonical_json(from_canonical(stored)) == stored
