"""Signatures at the front door: many secrets, doubled headers on a real socket, and mutations by the thousand."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook

import fuzz.signatures
from app.intake.problems import SignatureError
from app.intake.signature import sign, verify
from fuzz.signatures import attack
from tests.api.conftest import Link, event, problem
from tests.security.raw import Target, exchange, head

NOW = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
BODY = b'{"type":"quote.created"}'
IDS = ["msg_1", "msg_p5jXN8AQM9LWM0D4loKWxJek", "a.b.c", "~" * 256]
PING = b'{"event_type":"ping","data":{"success":true}}'
"""What the published example signs; below it under the first key of RFC 8032, whose signatures never vary."""
PUBLISHED = [
    ("whsec_plJ3nmyCDGBKInavdOK15jsl", "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="),
    (
        "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        "v1a,G9EqSJw1B3ndWNOgWUMgh56W+0nNxEWqX/egWPl+EXgMn6D/99aQk0r3QjMg5iZZ//usnYKC7W745w97PcpyDA==",
    ),
]
BODIES = [b"", b"{}", BODY, '{"name": "Büro ½"}'.encode(), b"x" * 100_000]


@pytest.mark.parametrize(("secret", "signed"), PUBLISHED)
def test_a_published_signature_is_believed_and_its_neighbour_is_not(secret: str, signed: str) -> None:
    at = datetime.fromtimestamp(1731705121, UTC)
    headers = _headers("msg_loFOjxBNrRLzqYUf", at, signed)
    assert verify(headers, PING, secrets=[secret], now=at).sent_at == at
    with pytest.raises(SignatureError):
        verify(headers, PING.replace(b"true", b"True"), secrets=[secret], now=at)


@pytest.mark.parametrize("webhook_id", IDS)
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("length", [24, 32, 64])
def test_the_reference_library_and_we_agree_on_v1(webhook_id: str, body: bytes, length: int) -> None:
    secret = "whsec_" + base64.b64encode(bytes(range(length))).decode()
    theirs = Webhook(secret).sign(webhook_id, NOW, body.decode())
    assert theirs == sign(secret, webhook_id, NOW, body)
    headers = _headers(webhook_id, NOW, theirs)
    assert verify(headers, body, secrets=[secret], now=NOW).webhook_id == webhook_id


@pytest.mark.parametrize("webhook_id", IDS)
@pytest.mark.parametrize("body", BODIES)
def test_v1a_signs_the_same_text_with_ed25519(webhook_id: str, body: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()
    signed = f"{webhook_id}.{int(NOW.timestamp())}.".encode() + body
    signature = "v1a," + base64.b64encode(key.sign(signed)).decode()
    assert verify(_headers(webhook_id, NOW, signature), body, secrets=[public], now=NOW).webhook_id == webhook_id


def _headers(webhook_id: str, at: datetime, signatures: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"webhook-id", webhook_id.encode()),
        (b"webhook-timestamp", b"%d" % int(at.timestamp())),
        (b"webhook-signature", signatures.encode()),
    ]


@pytest.mark.parametrize(("seconds", "status"), [(-310, 401), (-290, 202), (290, 202), (310, 401)])
async def test_the_senders_clock_may_be_wrong_by_five_minutes_either_way(link: Link, seconds: int, status: int) -> None:
    answer = await link.send(event(), at=datetime.now(UTC) + timedelta(seconds=seconds))
    assert answer.status_code == status


async def test_ten_secrets_are_good_at_once_and_no_eleventh(link: Link, operator: httpx.AsyncClient) -> None:
    secrets = [link.secret]
    for _ in range(9):
        made = await operator.post(f"{link.path}/signing-secrets", json={"overlap_hours": 24})
        assert made.status_code == 201, made.text
        secrets.append(made.json()["signing_secret"])
    for number, secret in enumerate(secrets):
        answer = await link.send(event(f"q-{number}"), secret=secret)
        assert answer.status_code == 202, f"secret {number}"
    problem(await operator.post(f"{link.path}/signing-secrets"), 409, "too-many-signing-secrets")
    listed = (await operator.get(f"{link.path}/signing-secrets")).json()["items"]
    oldest = min(listed, key=lambda row: row["id"])
    assert (await operator.delete(f"{link.path}/signing-secrets/{oldest['id']}")).status_code == 204
    problem(await link.send(event("q-late"), secret=secrets[0]), 401, "signature-invalid")
    assert (await link.send(event("q-late"), secret=secrets[1])).status_code == 202


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("spelling", [str.lower, str.upper, str.title])
@pytest.mark.parametrize("first", [True, False])
def test_a_header_sent_twice_over_the_wire_is_refused_whichever_is_good(
    target: Target,
    name: str,
    spelling: Any,
    first: bool,  # noqa: FBT001
) -> None:
    headers = [*target.signed(BODY), ("content-length", str(len(BODY)))]
    again = [(spelling(name), dict(headers)[name] if spelling is str.lower else "x")]
    answer = exchange(
        target.url, head("POST", target.path, *((again + headers) if first else (headers + again))) + BODY
    )
    assert (answer.status, answer.problem()) == (401, "signature-invalid")
    assert "more than once" in answer.body["detail"]


def test_a_folded_header_does_not_smuggle_a_second_value_in(target: Target) -> None:
    headers = [*target.signed(BODY), ("content-length", str(len(BODY)))]
    folded = [(name, f"{value}\r\n x" if name == "webhook-id" else value) for name, value in headers]
    assert exchange(target.url, head("POST", target.path, *folded) + BODY).status in {400, 401}


def test_twenty_thousand_mutated_requests_are_all_refused() -> None:
    assert attack(20_261_122, 20_000) == []


def test_the_mutations_find_a_verifier_that_takes_the_first_of_two_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(headers: Sequence[tuple[bytes, bytes]], body: bytes, **how: Any) -> object:
        kept = {name.lower(): value for name, value in reversed(headers)}
        return verify(list(kept.items()), body, **how)

    monkeypatch.setattr(fuzz.signatures, "verify", careless)
    believed = attack(1, 500)
    assert {one.mutation for one in believed} == {"repeat_header"}


def test_the_mutations_find_a_verifier_that_forgives_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(headers: Sequence[tuple[bytes, bytes]], body: bytes, **how: Any) -> object:
        spelt = [(name, value.strip() if name == b"webhook-timestamp" else value) for name, value in headers]
        return verify(spelt, body, **how)

    monkeypatch.setattr(fuzz.signatures, "verify", careless)
    assert {one.mutation for one in attack(1, 2000)} == {"change_timestamp"}
