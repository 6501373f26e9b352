"""The process's settings, read once from the environment and passed on; every name starts with QUOTEBRIDGE_."""

import base64
import binascii
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

PREFIX = "QUOTEBRIDGE_"
KEY_BYTES = 32
ADMIN_TOKEN_MIN = 32


class SettingsError(Exception):
    """The environment does not describe a service that can start; the message says which name is wrong and why."""


def _decode_key(text: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        message = "each key must be url-safe base64 of 32 bytes"
        raise ValueError(message)
    return key


def _check_keys(value: SecretStr) -> SecretStr:
    keys = split_list(value.get_secret_value())
    if not keys:
        message = "at least one key is needed"
        raise ValueError(message)
    for key in keys:
        _decode_key(key)
    return value


def _check_admin_token(value: SecretStr | None) -> SecretStr | None:
    if value is not None and len(value.get_secret_value()) < ADMIN_TOKEN_MIN:
        message = f"must have at least {ADMIN_TOKEN_MIN} characters"
        raise ValueError(message)
    return value


def split_list(text: str) -> list[str]:
    """Split a comma-separated value; blanks around and between commas mean nothing."""
    return [part for piece in text.split(",") if (part := piece.strip())]


def _split_hosts(value: object) -> object:
    return tuple(split_list(value)) if isinstance(value, str) else value


Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """What the process needs to know before it starts. Durations are seconds, so that tests can shorten them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    database_url: SecretStr = Field(description="postgresql://user:password@host/database")
    secret_keys: Annotated[SecretStr, AfterValidator(_check_keys)] = Field(
        description="comma-separated url-safe base64 of 32 bytes; the first encrypts, all decrypt"
    )
    admin_token: Annotated[SecretStr | None, AfterValidator(_check_admin_token)] = Field(
        default=None, description="bootstrap operator key, 32 characters or more"
    )
    public_url: str | None = Field(default=None, description="how the outside reaches this service; else the request's")
    allowed_kaseya_hosts: Annotated[tuple[str, ...], BeforeValidator(_split_hosts)] = Field(
        default=(), description="host[:port] allowed beside the published servers; a loopback one may be plain http"
    )
    max_body_bytes: int = Field(default=1_048_576, ge=1024)
    database_pool: int = Field(default=10, ge=2)
    run_slots: int = Field(default=4, ge=1, description="quotes that one worker process syncs at a time")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    poll_seconds: Seconds = 5
    lease_seconds: Seconds = 30
    debounce_quiet_seconds: Annotated[float, Field(ge=0)] = 2
    debounce_max_seconds: Annotated[float, Field(ge=0)] = 15
    doubt_grace_seconds: Annotated[float, Field(ge=0)] = 60
    audit_after_seconds: Annotated[float, Field(ge=0)] = 900
    retry_base_seconds: Seconds = 5
    retry_cap_seconds: Seconds = 3600
    retry_horizon_seconds: Seconds = 604_800
    breaker_cooldown_seconds: Seconds = 30
    kaseya_timeout_seconds: Seconds = 30
    kaseya_call_limit: int = Field(default=1500, ge=1)
    kaseya_call_window_seconds: Seconds = 3600
    lookup_cache_seconds: Annotated[float, Field(ge=0)] = 1

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The encryption keys, newest first."""
        return tuple(_decode_key(key) for key in split_list(self.secret_keys.get_secret_value()))

    @property
    def dsn(self) -> str:
        """The database as asyncpg takes it."""
        return self.database_url.get_secret_value().replace("postgresql+asyncpg://", "postgresql://", 1)

    @property
    def sqlalchemy_url(self) -> str:
        """The database as SQLAlchemy takes it; every spelling of the scheme leads to asyncpg."""
        return sqlalchemy_url(self.dsn)

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the environment; :class:`SettingsError` names each setting that is missing or wrong."""
        environ = os.environ if environ is None else environ
        values = {
            name: environ[PREFIX + name.upper()]
            for name in cls.model_fields
            if environ.get(PREFIX + name.upper()) not in (None, "")
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SettingsError(_explain(error)) from None


def sqlalchemy_url(url: str) -> str:
    """``postgresql://…`` (or ``postgres://…``) as SQLAlchemy's asyncpg dialect wants it."""
    scheme, separator, rest = url.partition("://")
    if scheme.split("+")[0] not in ("postgresql", "postgres") or not separator:
        message = f"{PREFIX}DATABASE_URL must start with postgresql://"
        raise SettingsError(message)
    return f"postgresql+asyncpg://{rest}"


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """Names with our prefix that mean nothing: worth a warning at start, since a typing error hides there."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def seconds(value: float) -> timedelta:
    """A setting's number as the duration it means."""
    return timedelta(seconds=value)


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        name = PREFIX + "_".join(str(part) for part in problem["loc"][:1]).upper()
        missing = problem["type"] == "missing"
        lines.append(f"{name} is missing" if missing else f"{name}: {problem['msg']}")
    return "; ".join(lines)
