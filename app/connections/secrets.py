"""Secrets at rest: AES-256-GCM, bound to the row and field they belong to, under keys that rotate online."""

import hashlib
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01"
KEY_ID_BYTES = 4
NONCE_BYTES = 12
HEADER_BYTES = len(VERSION) + KEY_ID_BYTES + NONCE_BYTES


class SecretUnreadableError(Exception):
    """A stored secret cannot be decrypted: its key is not among the configured ones, or the row was tampered with."""


class Vault:
    """Encrypts with the first key and decrypts with all of them.

    What was sealed for one connection and field opens for no other: both are associated data of the cipher.
    A sealed secret is ``version (1) | key id (4) | nonce (12) | ciphertext and tag``.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take 32-byte keys, newest first."""
        self._keys = {_key_id(key): AESGCM(key) for key in keys}
        self._newest = _key_id(keys[0])

    def seal(self, secret: str, *, connection_id: str, field: str) -> bytes:
        """Encrypt a secret for one field of one connection."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        bound = _bound_to(connection_id, field, self._newest)
        return VERSION + self._newest + nonce + self._keys[self._newest].encrypt(nonce, secret.encode(), bound)

    def open(self, sealed: bytes, *, connection_id: str, field: str) -> str:
        """Decrypt what was sealed for this connection and field; :class:`SecretUnreadableError` otherwise."""
        key_id, nonce = sealed[1 : 1 + KEY_ID_BYTES], sealed[1 + KEY_ID_BYTES : HEADER_BYTES]
        cipher = self._keys.get(key_id)
        if sealed[:1] != VERSION or cipher is None:
            message = f"the key that sealed {field} of {connection_id} is not among QUOTEBRIDGE_SECRET_KEYS"
            raise SecretUnreadableError(message)
        try:
            return cipher.decrypt(nonce, sealed[HEADER_BYTES:], _bound_to(connection_id, field, key_id)).decode()
        except (InvalidTag, ValueError):  # the latter where it was cut short
            message = f"{field} of {connection_id} does not decrypt: it was sealed for another row or changed since"
            raise SecretUnreadableError(message) from None

    def is_stale(self, sealed: bytes) -> bool:
        """Whether a secret is still sealed under an older key, and should be sealed again."""
        return sealed[1 : 1 + KEY_ID_BYTES] != self._newest


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"quotebridge key id" + key).digest()[:KEY_ID_BYTES]


def _bound_to(connection_id: str, field: str, key_id: bytes) -> bytes:
    return b"|".join((connection_id.encode(), field.encode(), key_id))
