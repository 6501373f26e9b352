"""Trust is decided on raw bytes."""

import base64
import secrets as randomness
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from app.intake.problems import SignatureError
from app.intake.signature import Delivery, new_secret, sign, verify

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
BODY = '{"type":"quote.created","name":"Büro"}'.encode()
Headers = list[tuple[bytes, bytes]]


def _headers(signature: str | None = None, *, webhook_id: str = "msg_1", sent: str | None = None) -> Headers:
    return [
        (b"content-type", b"application/json"),
        (b"webhook-id", webhook_id.encode()),
        (b"webhook-timestamp", (sent or str(int(NOW.timestamp()))).encode()),
        (b"webhook-signature", (signature or sign(SECRET, webhook_id, NOW, BODY)).encode()),
    ]


def _verify(
    headers: Headers, body: bytes = BODY, *, secrets: tuple[str, ...] = (SECRET,), now: datetime = NOW
) -> Delivery:
    return verify(headers, body, secrets=secrets, now=now)


def test_a_signed_delivery_is_trusted() -> None:
    assert _verify(_headers()) == Delivery("msg_1", NOW)


def test_header_names_come_in_any_case() -> None:
    assert _verify([(name.title(), value) for name, value in _headers()]).webhook_id == "msg_1"


def test_our_signature_satisfies_the_reference_library() -> None:
    headers = {name.decode(): value.decode() for name, value in _headers()}
    with time_machine.travel(NOW, tick=False):
        Webhook(SECRET).verify(BODY, headers)


def test_the_reference_librarys_signature_satisfies_us() -> None:
    assert _verify(_headers(Webhook(SECRET).sign("msg_1", NOW, BODY.decode()))).webhook_id == "msg_1"


@pytest.mark.parametrize("order", [(SECRET, OTHER), (OTHER, SECRET)])
def test_any_secret_and_any_signature_may_match_during_a_rotation(order: tuple[str, ...]) -> None:
    retired = "whsec_" + base64.b64encode(b"x" * 24).decode()
    signatures = " ".join(["v2,abc", sign(retired, "msg_1", NOW, BODY), sign(SECRET, "msg_1", NOW, BODY)])
    assert _verify(_headers(signatures), secrets=order).webhook_id == "msg_1"


def test_a_public_key_verifies_an_ed25519_signature() -> None:
    key = Ed25519PrivateKey.generate()
    signed = b"msg_1.%d." % int(NOW.timestamp()) + BODY
    signature = base64.b64encode(key.sign(signed)).decode()
    public = "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()
    assert _verify(_headers(f"v1a,{signature}"), secrets=(SECRET, public)).webhook_id == "msg_1"
    respelled = signature[:-3] + chr(ord(signature[-3]) + 1) + "=="  # decodes to the same bytes
    assert base64.b64decode(respelled) == base64.b64decode(signature)
    for wrong in (f"v1,{signature}", f"v1a,{respelled}", "v1a,", "v1a,%"):
        with pytest.raises(SignatureError):
            _verify(_headers(wrong), secrets=(SECRET, public))


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature", "webhook-extra"])
def test_a_webhook_header_sent_twice_is_refused(name: str) -> None:
    headers = [*_headers(), (b"webhook-extra", b"1")]
    twice = [*headers, *((key.upper(), value) for key, value in headers if key == name.encode())]
    with pytest.raises(SignatureError, match="more than once"):
        _verify(twice)


@pytest.mark.parametrize("name", [b"webhook-id", b"webhook-timestamp", b"webhook-signature"])
@pytest.mark.parametrize("empty", [True, False])
def test_a_missing_or_empty_header_is_refused(name: bytes, empty: bool) -> None:  # noqa: FBT001
    headers = [(key, b"" if key == name else value) for key, value in _headers() if empty or key != name]
    with pytest.raises(SignatureError, match="missing"):
        _verify(headers)


@pytest.mark.parametrize(("seconds", "trusted"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_the_clock_may_differ_by_300_seconds_either_way(seconds: int, trusted: bool) -> None:  # noqa: FBT001
    now = NOW + timedelta(seconds=seconds)
    if trusted:
        assert _verify(_headers(), now=now).sent_at == NOW
    else:
        with pytest.raises(SignatureError, match="300 seconds"):
            _verify(_headers(), now=now)


@pytest.mark.parametrize(
    "sent", ["1e9", " 1893456000", "1893456000.0", "+1893456000", "-1", "01893456000", "٣", "9" * 12, "now"]
)
def test_a_timestamp_is_a_plain_integer(sent: str) -> None:
    with pytest.raises(SignatureError, match="whole number"):
        _verify(_headers(sent=sent))


@pytest.mark.parametrize("webhook_id", ["a b", "é", "a\tb", "x" * 257])
def test_an_odd_webhook_id_is_refused(webhook_id: str) -> None:
    with pytest.raises(SignatureError, match="webhook-id"):
        _verify(_headers("v1,x", webhook_id=webhook_id))


def test_a_flood_of_signatures_is_refused() -> None:
    with pytest.raises(SignatureError, match="more than 16"):
        _verify(_headers(" ".join(["v1,x"] * 17)))


def test_no_secret_trusts_nothing() -> None:
    with pytest.raises(SignatureError):
        _verify(_headers(), secrets=())


@pytest.mark.parametrize("secret", ["whsec_", "whsec_AAAA", "whsec_!", SECRET.removeprefix("whsec_"), "whpk_AAAA"])
def test_what_is_no_key_is_a_mistake_of_ours(secret: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        _verify(_headers(), secrets=(secret,))


def test_a_new_secret_signs() -> None:
    secret = new_secret(randomness.token_bytes)
    assert _verify(_headers(sign(secret, "msg_1", NOW, BODY)), secrets=(secret,)).webhook_id == "msg_1"
    assert secret != new_secret(randomness.token_bytes)


@given(st.data())
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    parts = [value for name, value in _headers() if name.startswith(b"webhook-")] + [BODY]
    which = data.draw(st.integers(0, len(parts) - 1))
    at = data.draw(st.integers(0, len(parts[which]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != parts[which][at]))
    parts[which] = parts[which][:at] + bytes([byte]) + parts[which][at + 1 :]
    names = (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
    with pytest.raises(SignatureError):
        _verify(list(zip(names, parts[:3], strict=True)), parts[3])


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({b"webhook-id": None}, "The header webhook-id is missing."),
        ({b"webhook-id": b"a b"}, "The webhook-id must be 1 to 256 printable ASCII characters without blanks."),
        ({b"webhook-timestamp": b"now"}, "The webhook-timestamp must be a whole number of seconds since 1970."),
        (
            {b"webhook-timestamp": b"1"},
            (
                "The webhook-timestamp is more than 300 seconds from our time; "
                "check the sender's clock and sign each retry anew."
            ),
        ),
        ({b"webhook-signature": b" ".join([b"v1,x"] * 17)}, "The webhook-signature holds more than 16 signatures."),
        (
            {b"webhook-signature": b"v1,x"},
            "No signature matches; check that the sender signs the raw body with a current secret.",
        ),
    ],
)
def test_a_refusal_is_a_sentence_that_says_what_to_mend(changed: dict[bytes, bytes | None], sentence: str) -> None:
    headers = [(name, changed.get(name, value)) for name, value in _headers()]
    with pytest.raises(SignatureError) as refused:
        _verify([(name, value) for name, value in headers if value is not None])
    assert str(refused.value) == sentence


def test_a_doubled_header_is_named_even_if_its_name_is_not_ascii() -> None:
    odd = "webhook-é".encode("latin-1")
    with pytest.raises(SignatureError) as refused:
        _verify([*_headers(), (odd, b"1"), (odd, b"2")])
    assert str(refused.value) == "The header webhook-é was sent more than once."


def test_sixteen_signatures_are_not_too_many_and_one_of_them_is_enough() -> None:
    flood = " ".join([*["v1,x"] * 15, sign(SECRET, "msg_1", NOW, BODY)])
    assert _verify(_headers(flood)).webhook_id == "msg_1"


def test_signatures_are_parted_by_blanks_and_by_nothing_else() -> None:
    with pytest.raises(SignatureError, match="No signature matches"):
        _verify(_headers("v1,x\t" + sign(SECRET, "msg_1", NOW, BODY)))


def test_nothing_may_stand_before_the_signature() -> None:
    scheme, value = sign(SECRET, "msg_1", NOW, BODY).split(",")
    with pytest.raises(SignatureError, match="No signature matches"):
        _verify(_headers(f"{scheme},{scheme},{value}"))


@pytest.mark.parametrize("tail", ["=", "!", "\n"])
def test_an_ed25519_signature_has_one_spelling(tail: str) -> None:
    key = Ed25519PrivateKey.generate()
    public = "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()
    good = "v1a," + base64.b64encode(key.sign(b"msg_1.%d." % int(NOW.timestamp()) + BODY)).decode()
    assert _verify(_headers(good), secrets=(public,)).webhook_id == "msg_1"
    with pytest.raises(SignatureError, match="No signature matches"):
        _verify(_headers(good + tail), secrets=(public,))


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [
        ("whsec_AAAA", "A signing secret must be whsec_ followed by the base64 of 16 to 64 bytes."),
        ("whpk_AAAA", "A public key must be whpk_ followed by the base64 of 32 bytes."),
    ],
)
def test_what_is_no_key_is_told_what_a_key_is(secret: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        _verify(_headers(), secrets=(secret,))
    assert str(refused.value) == sentence


@pytest.mark.parametrize(("length", "good"), [(0, False), (15, False), (16, True), (64, True), (65, False)])
def test_a_secret_is_of_16_to_64_bytes_with_or_without_its_padding(length: int, good: bool) -> None:  # noqa: FBT001
    padded = "whsec_" + base64.b64encode(b"k" * length).decode()
    for secret in (padded, padded.rstrip("=")):
        if good:
            assert _verify(_headers(sign(secret, "msg_1", NOW, BODY)), secrets=(secret,)).webhook_id == "msg_1"
        else:
            with pytest.raises(ValueError, match="16 to 64 bytes"):
                sign(secret, "msg_1", NOW, BODY)


@pytest.mark.parametrize("odd", ["%", " ", "ü"])
def test_a_secret_with_a_stray_character_is_no_secret(odd: str) -> None:
    stray = SECRET[:20] + odd * 4 + SECRET[20:]
    with pytest.raises(ValueError, match="whsec_"):
        sign(stray, "msg_1", NOW, BODY)


def test_a_new_secret_is_of_32_random_bytes() -> None:
    assert new_secret(lambda count: bytes(range(count))) == "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize("webhook_id", ["x", "x" * 256])
def test_an_id_may_have_up_to_256_characters(webhook_id: str) -> None:
    signature = sign(SECRET, webhook_id, NOW, BODY)
    assert _verify(_headers(signature, webhook_id=webhook_id)).webhook_id == webhook_id


def test_only_ascii_can_be_signed_as_an_id() -> None:
    with pytest.raises(UnicodeEncodeError):
        sign(SECRET, "é", NOW, BODY)
