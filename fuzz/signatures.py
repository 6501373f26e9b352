"""Deliveries that were signed well and then changed, or signed by somebody else: not one of them may be trusted."""

import base64
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.intake.problems import SignatureError
from app.intake.signature import PUBLIC_KEY_PREFIX, new_secret, sign, verify

NOW = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
SYMMETRIC = 4
"""Live secrets of the connection that is attacked, beside one public key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The three headers in clear and the body."""

    webhook_id: bytes
    timestamp: bytes
    signatures: bytes
    body: bytes
    more: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """As a server hands them over."""
        named = zip(_NAMES, (self.webhook_id, self.timestamp, self.signatures), strict=True)
        return [(b"content-type", b"application/json"), *named, *self.more]


_NAMES = (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
Mutation = Callable[[random.Random, Request], Request]


class Target:
    """A connection with live secrets, and well signed deliveries to it that have been overheard."""

    def __init__(self, chance: random.Random) -> None:
        """Everything about it follows from ``chance``."""
        self.secrets = [new_secret(chance.randbytes) for _ in range(SYMMETRIC)]
        self._key = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        public = self._key.public_key().public_bytes_raw()
        self.keys = (*self.secrets, PUBLIC_KEY_PREFIX + base64.b64encode(public).decode())
        self.overheard = [self._deliver(chance, number) for number in range(32)]

    def _deliver(self, chance: random.Random, number: int) -> Request:
        webhook_id = f"msg_{number}.{chance.getrandbits(64):x}z"
        sent_at = NOW + timedelta(seconds=chance.randint(-300, 300))
        body = b'{"type":"quote.updated","data":{"quote_id":"q-%d","name":"%s"}}' % (
            number,
            base64.b64encode(chance.randbytes(chance.randint(0, 120))),
        )
        signed = b"%s.%d." % (webhook_id.encode(), int(sent_at.timestamp())) + body
        by_key = "v1a," + base64.b64encode(self._key.sign(signed)).decode()
        signatures = [by_key if number % 8 == 0 else sign(chance.choice(self.secrets), webhook_id, sent_at, body)]
        return Request(
            webhook_id=webhook_id.encode(),
            timestamp=b"%d" % int(sent_at.timestamp()),
            signatures=" ".join(signatures).encode(),
            body=body,
        )

    def trusts(self, request: Request) -> bool:
        """Whether the delivery would be believed."""
        try:
            verify(request.headers, request.body, secrets=self.keys, now=NOW)
        except SignatureError:
            return False
        return True


def _change(chance: random.Random, text: bytes) -> bytes:
    """Text that is not this one: a byte put in another's place, put in, taken out; a piece doubled or turned round."""
    at = chance.randrange(len(text))
    until = min(len(text), at + chance.randint(1, 8))
    other = bytes([(text[at] + chance.randint(1, 255)) % 256])
    changed = chance.choice(
        (
            text[:at] + other + text[at + 1 :],
            text[:at] + other + text[at:],
            text[:at] + text[at + 1 :],
            text[:until] + text[at:],
            text[:at] + text[at:until][::-1] + text[until:],
            text[:at],
            text[at:] + text[:at],
            text.swapcase(),
        )
    )
    return changed if changed != text else text + other


def change_id(chance: random.Random, request: Request) -> Request:
    """Another message's id."""
    return replace(request, webhook_id=_change(chance, request.webhook_id))


def change_timestamp(chance: random.Random, request: Request) -> Request:
    """Another time, or the same one spelt otherwise."""
    near = b"%d" % (int(request.timestamp) + chance.choice((-1, 1)) * chance.randint(1, 600))
    odd = (b"+%s", b"0%s", b" %s", b"%s ", b"%s.0", b"%se0", b"-%s", b"%s\n")
    spellings = [near, _change(chance, request.timestamp), *(each % request.timestamp for each in odd)]
    return replace(request, timestamp=chance.choice(spellings))


def change_body(chance: random.Random, request: Request) -> Request:
    """Other content."""
    return replace(request, body=_change(chance, request.body))


def change_signature(chance: random.Random, request: Request) -> Request:
    """Another signature: cut, respelt, of another scheme, several, none."""
    scheme, _, value = request.signatures.partition(b",")
    other_scheme = chance.choice([each for each in (b"v1", b"v1a", b"v2", b"V1", b"", b"v1,v1") if each != scheme])
    spelt = (
        other_scheme + b"," + value,
        scheme + b"," + value.rstrip(b"="),
        scheme + b"," + value + b"=",
        scheme + b", " + value,
        scheme + b"," + value.replace(b"=", b"%3D"),
        scheme + b"," + base64.b64decode(value).hex().encode(),
        scheme + b",",
        scheme + value,
        value,
        b",",
        b" " * chance.randint(1, 5),
        b" ".join([scheme + b"," + _change(chance, value)] * chance.randint(1, 20)),
    )
    changed = chance.choice(spelt)
    return replace(request, signatures=changed if changed != request.signatures else b"v1," + _change(chance, value))


def repeat_header(chance: random.Random, request: Request) -> Request:
    """A header twice: the good one and any other, in either spelling of its name."""
    name = chance.choice(_NAMES)
    spelling = bytes(byte ^ 0x20 if 97 <= byte <= 122 and chance.random() < 0.5 else byte for byte in name)  # noqa: PLR2004
    return replace(request, more=((spelling, chance.choice((request.webhook_id, request.timestamp, b"", b"x"))),))


def move_border(chance: random.Random, request: Request) -> Request:
    """The same signed text, cut into id, time and body at other places."""
    whole = b".".join((request.webhook_id, request.timestamp, request.body))
    dots = [at for at, byte in enumerate(whole) if byte == ord(".")]
    first = chance.choice(dots)
    rest = whole[first + 1 :]
    at = chance.randrange(len(rest))
    moved = replace(request, webhook_id=whole[:first], timestamp=rest[:at], body=rest[at + 1 :])
    return moved if moved != request else change_id(chance, request)


def sign_with_another_secret(chance: random.Random, request: Request) -> Request:
    """All in order, but by somebody who does not know a secret of this connection."""
    stranger = new_secret(chance.randbytes)
    sent_at = datetime.fromtimestamp(int(request.timestamp), UTC)
    return replace(request, signatures=sign(stranger, request.webhook_id.decode(), sent_at, request.body).encode())


MUTATIONS: tuple[Mutation, ...] = (
    change_id,
    change_timestamp,
    change_body,
    change_signature,
    repeat_header,
    move_border,
    sign_with_another_secret,
)


@dataclass(frozen=True, slots=True)
class Believed:
    """A mutated request that was believed: the run that makes it again, and what it was."""

    seed: int
    mutation: str
    request: Request


def attack(seed: int, count: int, *, mutations: Sequence[Mutation] = MUTATIONS) -> list[Believed]:
    """Send ``count`` mutated requests that follow from ``seed``; returns those that were believed."""
    chance = random.Random(seed)
    target = Target(chance)
    unchanged = [request for request in target.overheard if not target.trusts(request)]
    assert not unchanged, "what was signed well must be believed, or nothing is shown by refusing the rest"
    believed = []
    for _ in range(count):
        mutation = chance.choice(mutations)
        original = chance.choice(target.overheard)
        request = mutation(chance, original)
        if target.trusts(request):
            believed.append(Believed(seed, mutation.__name__, request))
    return believed
