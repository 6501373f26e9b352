import pytest

from app.connections.secrets import SecretUnreadableError, Vault

OLD, NEW = bytes(32), bytes(range(32))
WHERE = {"connection_id": "con_1", "field": "password"}


def test_what_is_sealed_opens_again_and_never_looks_the_same_twice() -> None:
    vault = Vault([NEW])
    first, second = vault.seal("hunter2", **WHERE), vault.seal("hunter2", **WHERE)
    assert first != second
    assert vault.open(first, **WHERE) == vault.open(second, **WHERE) == "hunter2"
    assert b"hunter2" not in first


@pytest.mark.parametrize("other", [{"connection_id": "con_2"}, {"field": "mfa_secret"}])
def test_a_secret_opens_for_no_other_connection_or_field(other: dict[str, str]) -> None:
    vault = Vault([NEW])
    with pytest.raises(SecretUnreadableError):
        vault.open(vault.seal("hunter2", **WHERE), **{**WHERE, **other})


def test_any_changed_byte_makes_a_secret_unreadable() -> None:
    vault = Vault([NEW])
    sealed = vault.seal("hunter2", **WHERE)
    for place in range(len(sealed)):
        tampered = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(SecretUnreadableError) as error:
            vault.open(tampered, **WHERE)
        assert "hunter2" not in str(error.value)


def test_keys_rotate_online() -> None:
    sealed = Vault([OLD]).seal("hunter2", **WHERE)
    rotating = Vault([NEW, OLD])
    assert rotating.open(sealed, **WHERE) == "hunter2"
    assert rotating.is_stale(sealed)
    again = rotating.seal("hunter2", **WHERE)
    assert not rotating.is_stale(again)
    assert Vault([NEW]).open(again, **WHERE) == "hunter2"
    with pytest.raises(SecretUnreadableError, match="QUOTEBRIDGE_SECRET_KEYS"):
        Vault([NEW]).open(sealed, **WHERE)
