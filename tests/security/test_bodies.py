"""Bodies that nobody honest sends, byte by byte, against the service as it is deployed."""

import json
from pathlib import Path

import pytest

from tests.api.conftest import event
from tests.fixtures.management import ADMIN
from tests.security.raw import Line, Target, chunked, exchange, head

LIMIT = 1_048_576
MEBIBYTE = b" " * 1_048_576


@pytest.fixture(autouse=True)
def nothing_fails_inside(target: Target) -> object:
    """Whatever comes, no request may end in the boundary's "something went wrong on our side"."""
    before = len(target.failures())
    yield
    assert target.failures()[before:] == []


def test_an_honest_delivery_is_taken(target: Target) -> None:
    answer = target.deliver(json.dumps(event()).encode())
    assert (answer.status, answer.body["status"]) == (202, "accepted")


def test_a_chunked_body_is_cut_off_at_the_limit(target: Target) -> None:
    sent = 0
    with Line(target.url) as line:
        line.send(head("POST", target.path, *target.signed(b""), ("transfer-encoding", "chunked")))
        for piece in chunked([MEBIBYTE] * 64):
            if not line.send(piece):
                break
            sent += 1
        answer = line.answer()
    # A reset may swallow the answer on its way, but never makes the server read on.
    assert answer is None or (answer.status, answer.problem(), answer.closed) == (413, "body-too-large", True)
    assert sent < 64


def test_a_chunked_body_just_over_the_limit_is_told_so(target: Target) -> None:
    with Line(target.url) as line:
        line.send(head("POST", target.path, *target.signed(b""), ("transfer-encoding", "chunked")))
        for piece in chunked([MEBIBYTE, b"x"]):
            line.send(piece)
        answer = line.answer()
    assert answer is not None
    assert (answer.status, answer.problem(), answer.closed) == (413, "body-too-large", True)


def test_a_body_that_announces_too_much_is_refused_before_any_of_it_comes(target: Target) -> None:
    announced = ("content-length", str(LIMIT + 1))
    answer = exchange(target.url, head("POST", target.path, *target.signed(b""), announced))
    assert (answer.status, answer.problem(), answer.closed) == (413, "body-too-large", True)


def test_a_body_longer_than_announced_is_not_the_body_that_was_signed(target: Target) -> None:
    body = json.dumps(event()).encode()
    short = ("content-length", str(len(body) - 10))
    with Line(target.url) as line:
        line.send(head("POST", target.path, *target.signed(body), short) + body)
        first, second = line.answer(), line.answer()
    # What is over is no request; the parser may see that first.
    assert first is not None
    assert first.status in {400, 401}
    assert second is None or second.status == 400


def test_a_body_shorter_than_announced_is_never_taken(target: Target) -> None:
    body = json.dumps(event()).encode()
    with Line(target.url) as line:
        line.send(head("POST", target.path, *target.signed(body), ("content-length", str(len(body) + 10))) + body)
        line.hang_up_sending()
        answer = line.answer()
    assert answer is None or 400 <= answer.status < 500


@pytest.mark.parametrize(
    "lengths",
    [
        ["-1"],
        ["+5"],
        ["0x10"],
        ["1 1"],
        ["five"],
        ["99999999999999999999999999"],
        ["5", "6"],
    ],
)
def test_a_length_that_is_none_is_refused(target: Target, lengths: list[str]) -> None:
    headers = [*target.signed(b"{}"), *(("content-length", each) for each in lengths)]
    answer = exchange(target.url, head("POST", target.path, *headers) + b"{}")
    assert answer.status in {400, 401, 413}


def test_a_body_with_two_kinds_of_length_is_refused(target: Target) -> None:
    body = json.dumps(event()).encode()
    headers = [*target.signed(body), ("content-length", str(len(body))), ("transfer-encoding", "chunked")]
    answer = exchange(target.url, head("POST", target.path, *headers) + body)
    assert answer.status == 400


def test_slow_bodies_hold_nobody_up_and_are_taken_in_the_end(target: Target) -> None:
    bodies = [json.dumps(event(f"slow-{number}")).encode() for number in range(40)]
    lines = [Line(target.url) for _ in bodies]
    try:
        for line, body in zip(lines, bodies, strict=True):
            headers = [*target.signed(body), ("content-length", str(len(body)))]
            line.send(head("POST", target.path, *headers) + body[:-1])
        assert target.deliver(json.dumps(event("quick")).encode()).status == 202
        for line, body in zip(lines, bodies, strict=True):
            line.send(body[-1:])
        answers = [line.answer() for line in lines]
    finally:
        for line in lines:
            line.__exit__()
    assert {answer and answer.status for answer in answers} == {202}


def _with(data: str) -> bytes:
    """A valid event with one more, odd member in its data."""
    whole = json.dumps(event())
    return whole.replace('"data": {', '"data": {' + data, 1).encode()


ODD = {
    "a bomb of brackets": b"[" * 200_000,
    "a bomb of objects": b'{"a":' * 100_000,
    "a deep member": _with(f'"custom": {"[" * 5000}{"]" * 5000}, '),
    "a repeated name": _with('"quote_id": "q-2", '),
    "NaN": _with('"custom": NaN, '),
    "Infinity": _with('"custom": -Infinity, '),
    "a huge number": _with(f'"version": {"9" * 100_000}, '),
    "a huge exponent": _with('"custom": 1e999999999, '),
    "a NUL": _with('"number": "\\u0000", '),
    "a raw NUL": _with('"number": "\0", '),
    "half a surrogate pair": _with('"number": "\\ud800", '),
    "no UTF-8": _with('"number": "x", ').replace(b'"x"', b'"\xff\xfe"'),
    "overlong UTF-8": _with('"number": "x", ').replace(b'"x"', b'"\xc0\xaf"'),
    "UTF-16": json.dumps(event()).encode("utf-16"),
    "nothing": b"",
    "a lone quote": b'"',
    "no object": b"[]",
    "two texts": b"{}{}",
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
def test_a_well_signed_body_that_is_odd_is_an_invalid_event(target: Target, body: bytes) -> None:
    answer = target.deliver(body)
    assert (answer.status, answer.problem()) == (422, "invalid-event")
    assert answer.body["errors"]


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("path", ["/v1/connections", "/v1/connections/{}/preview", "/v1/connections/{}/replay"])
def test_the_management_api_refuses_odd_bodies(target: Target, path: str, body: bytes) -> None:
    headers = [("authorization", f"Bearer {ADMIN}"), ("content-type", "application/json")]
    length = ("content-length", str(len(body)))
    answer = exchange(target.url, head("POST", path.format(target.connection_id), *headers, length) + body)
    assert 400 <= answer.status < 500
    assert answer.problem()


@pytest.mark.parametrize(
    "body", [b"", b"=", b"hash=%ff&timestamp=%00&data=%", b"data=" + b"%5B" * 50_000, b"\0" * 1000]
)
def test_quoters_webhook_refuses_odd_forms(target: Target, body: bytes) -> None:
    path = f"/webhooks/{target.connection_id}/quoter"
    form = ("content-type", "application/x-www-form-urlencoded")
    answer = exchange(target.url, head("POST", path, form, ("content-length", str(len(body)))) + body)
    assert 400 <= answer.status < 500


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells a process's memory in /proc")
def test_two_hundred_oversize_posts_leave_memory_as_it_was(target: Target) -> None:
    def post() -> None:
        with Line(target.url) as line:
            line.send(head("POST", target.path, *target.signed(b""), ("transfer-encoding", "chunked")))
            for piece in chunked([MEBIBYTE] * 3):
                if not line.send(piece):
                    return
            line.answer()

    def resident() -> int:
        return int(Path(f"/proc/{target.service.pid}/statm").read_text().split()[1])

    for _ in range(10):  # so that what is allocated once is there
        post()
    before = resident()
    for _ in range(200):
        post()
    assert resident() / before < 1.3
