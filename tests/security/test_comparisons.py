"""What is secret is compared by `hmac.compare_digest` alone: how long a refusal takes tells nothing."""

import hashlib
import hmac
from datetime import UTC, datetime

import httpx
import pytest

from app.intake import quoter, signature
from app.intake.problems import SignatureError

NOW = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)


@pytest.fixture
def nothing_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever still believes something now has compared it in another way."""
    monkeypatch.setattr(hmac, "compare_digest", lambda *_: False)


@pytest.mark.usefixtures("nothing_compares")
def test_a_signature_is_compared_in_constant_time() -> None:
    secret = signature.new_secret(lambda count: bytes(range(count)))
    headers = [
        (b"webhook-id", b"msg_1"),
        (b"webhook-timestamp", b"%d" % int(NOW.timestamp())),
        (b"webhook-signature", signature.sign(secret, "msg_1", NOW, b"{}").encode()),
    ]
    with pytest.raises(SignatureError, match="No signature matches"):
        signature.verify(headers, b"{}", secrets=[secret], now=NOW)


@pytest.mark.usefixtures("nothing_compares")
def test_quoters_hash_is_compared_in_constant_time() -> None:
    timestamp = str(int(NOW.timestamp()))
    good = hashlib.md5(f"key{timestamp}{{}}".encode(), usedforsecurity=False).hexdigest()
    with pytest.raises(SignatureError, match="does not match"):
        quoter.verify(quoter.QuoterForm(good, timestamp, "{}"), hash_key="key", now=NOW)


async def test_the_operators_token_is_compared_in_constant_time(
    operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await operator.get("/v1/connections")).status_code == 200
    monkeypatch.setattr(hmac, "compare_digest", lambda *_: False)
    assert (await operator.get("/v1/connections")).status_code == 401
