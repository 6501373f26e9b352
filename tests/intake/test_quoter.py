"""Quoter's own webhook: decoded once, trusted by its hash, read permissively."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.problems import SignatureError, UnreadableBodyError
from app.intake.quoter import Ignored, QuoterForm, QuoterReading, Rejected, classify, digest, read_form, verify
from app.intake.standard import parse
from app.quotes.model import EventType, QuoteEvent
from app.quotes.money import to_cents, unit_price_after_discount
from tests.intake.samples import body, event, quoter

NOW = datetime(2030, 1, 1, tzinfo=UTC)
KEY = "sample-key"


def _form(data: str, *, sent: datetime = NOW) -> bytes:
    timestamp = str(int(sent.timestamp()))
    signature = hashlib.md5(f"{KEY}{timestamp}{data}".encode()).hexdigest()  # noqa: S324 - Quoter's choice
    return urlencode({"data": data, "hash": signature, "timestamp": timestamp, "other": "1"}).encode()


def _classify(payload: object) -> QuoterReading:
    return classify(json.dumps(payload), received_at=NOW, time_zone="America/Denver")


def _event(payload: object) -> QuoteEvent:
    reading = _classify(payload)
    assert isinstance(reading, QuoteEvent)
    return reading


@given(st.text(st.characters(codec="utf-8")))
def test_the_form_is_decoded_exactly_once(data: str) -> None:
    form = read_form(_form(data))
    assert form.data == data
    verify(form, hash_key=KEY, now=NOW)


def test_escaped_slashes_and_percent_signs_stay_as_they_are() -> None:
    data = '{"url":"https:\\/\\/a.example\\/100%25 off+more %"}'
    assert read_form(_form(data)).data == data


@pytest.mark.parametrize(
    "form", [b"", b"hash=1&timestamp=2", b"hash=1&timestamp=2&data=%ff", b"hash=1&hash=1&timestamp=2&data=3"]
)
def test_a_form_without_its_fields_is_unreadable(form: bytes) -> None:
    with pytest.raises(UnreadableBodyError):
        read_form(form)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_stale_or_early_form_is_refused(seconds: int) -> None:
    with pytest.raises(SignatureError, match="300 seconds"):
        verify(read_form(_form("{}", sent=NOW + timedelta(seconds=seconds))), hash_key=KEY, now=NOW)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_form_may_be_300_seconds_early_or_late(seconds: int) -> None:
    verify(read_form(_form("{}", sent=NOW + timedelta(seconds=seconds))), hash_key=KEY, now=NOW)


def _signed(timestamp: str, *, data: str = "{}") -> QuoterForm:
    signature = hashlib.md5(f"{KEY}{timestamp}{data}".encode()).hexdigest()  # noqa: S324 - Quoter's choice
    return QuoterForm(signature, timestamp, data)


@pytest.mark.parametrize(
    ("form", "key", "sentence"),
    [
        (_signed("1893456000"), "", "The connection has no Quoter hash key."),
        (
            _signed("1893456000"),
            "other",
            "The hash does not match; check the hash key in Quoter's webhook settings.",
        ),
        (_signed("01893456000"), KEY, "The timestamp must be a whole number of seconds since 1970."),
        (_signed("1893456000.0"), KEY, "The timestamp must be a whole number of seconds since 1970."),
        (_signed("1893455699"), KEY, "The timestamp is more than 300 seconds from our time."),
    ],
)
def test_a_refused_form_is_told_why(form: QuoterForm, key: str, sentence: str) -> None:
    with pytest.raises(SignatureError) as refused:
        verify(form, hash_key=key, now=NOW)
    assert str(refused.value) == sentence


def test_a_hash_counts_in_either_case() -> None:
    form = _signed("1893456000")
    verify(QuoterForm(form.hash.upper(), form.timestamp, form.data), hash_key=KEY, now=NOW)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"hash=1&hash=1&timestamp=2&data=3", "The form field hash is there more than once."),
        (b"hash=1", "The form lacks timestamp, data; it must be x-www-form-urlencoded."),
        (b"hash=1&timestamp=2&data=%ff", "The form is not UTF-8."),
    ],
)
def test_an_unreadable_form_is_told_why(body: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableBodyError) as refused:
        read_form(body)
    assert str(refused.value) == sentence


def test_a_value_may_hold_an_equals_sign_as_it_is() -> None:
    assert read_form(b"data=a=b=c&hash=1&timestamp=2").data == "a=b=c"


def test_other_fields_may_come_twice() -> None:
    assert read_form(b"other=1&other=2&data=3&hash=1&timestamp=2") == QuoterForm("1", "2", "3")


@pytest.mark.parametrize("data", ["", "{", "[" * 100_000])
def test_data_that_is_no_json_is_rejected_with_the_remedy(data: str) -> None:
    reading = classify(data, received_at=NOW, time_zone="UTC")
    assert reading == Rejected("The data is not JSON; set the webhook's format to JSON in Quoter.")


@pytest.mark.parametrize("key", ["", "other"])
def test_a_wrong_or_missing_key_trusts_nothing(key: str) -> None:
    with pytest.raises(SignatureError):
        verify(read_form(_form("{}")), hash_key=key, now=NOW)


def test_a_retry_has_the_digest_of_the_first_try() -> None:
    assert digest(QuoterForm("a", "1", "{}")) == digest(QuoterForm("b", "2", "{}"))


def test_the_same_quote_is_the_same_over_both_webhooks() -> None:
    assert _event(quoter()).quote == parse(body(event())).quote


@pytest.mark.parametrize(
    ("status", "new", "kind"),
    [
        ("pending", "true", EventType.CREATED),
        ("pending", "false", EventType.UPDATED),
        ("accepted", "true", EventType.WON),
        ("Ordered", None, EventType.WON),
        ("fulfilled", None, EventType.WON),
        ("lost", "true", EventType.LOST),
    ],
)
def test_status_and_newness_tell_the_event(status: str, new: object, kind: EventType) -> None:
    assert _event({**quoter(), "status": status, "new": new}).type is kind


@pytest.mark.parametrize(
    "payload", [{**quoter(), "status": "draft"}, {**quoter(), "status": None}, {"id": "1"}, [], None, 1]
)
def test_what_is_no_quote_to_sync_is_ignored(payload: object) -> None:
    assert isinstance(_classify(payload), Ignored)


def test_xml_is_ignored_with_the_remedy() -> None:
    reading = classify(" <quote/>", received_at=NOW, time_zone="UTC")
    assert isinstance(reading, Ignored)
    assert "JSON" in reading.reason


@pytest.mark.parametrize(
    "changes", [{"id": None}, {"id": "a b"}, {"person": None}, {"line_items": [{"quantity": "-1"}]}]
)
def test_a_quote_that_cannot_be_understood_is_rejected(changes: dict[str, Any]) -> None:
    assert isinstance(_classify({**quoter(), **changes}), Rejected)


def test_the_expiry_is_a_day_of_the_connections_zone() -> None:
    payload = {**quoter(), "expiry_date": "2030-02-02 06:59:59"}
    assert _event(payload).quote.expires_on == date(2030, 2, 1)
    assert _event({**payload, "expiry_date": "0000-00-00 00:00:00"}).quote.expires_on is None


@pytest.mark.parametrize(
    ("quantity", "price", "before", "after", "discount"),
    [
        ("3", "25.00", "75.00", "70.00", "5.00"),
        ("3", "33.33", "100.00", "100.00", "0.00"),
        ("2", "1,250.00", "2,500.00", "2,450.00", "1.00"),
        ("4", "10.00", "40.00", "0.00", "100.00"),
        ("4", "10.00", None, None, "8.00"),
    ],
)
def test_folded_price_times_quantity_is_the_sum_after_discount(
    quantity: str, price: str, before: str | None, after: str | None, discount: str
) -> None:
    total = {"upfront": before, "upfront_after_discount": after}
    line = {
        **quoter()["line_items"][0],
        "quantity": quantity,
        "unit_price": price,
        "total": total,
        "discount": discount,
    }
    read = _event({**quoter(), "line_items": [line]}).quote.lines[0]
    expected = "32.00" if after is None else after.replace(",", "")
    assert str(to_cents(unit_price_after_discount(read) * read.quantity)) == expected


shapes = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["1,5.0", "-1", "\ud800", "2030-01-01"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "name", "work", "0"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(quoter())), shapes)
def test_no_shape_of_any_field_raises(name: str, value: object) -> None:
    assert isinstance(_classify({**quoter(), name: value}), QuoterReading)


@given(st.sampled_from(sorted(quoter()["line_items"][0])), shapes)
def test_no_shape_of_any_line_field_raises(name: str, value: object) -> None:
    line = {**quoter()["line_items"][0], name: value}
    assert isinstance(_classify({**quoter(), "line_items": [line]}), QuoterReading)
