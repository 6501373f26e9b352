"""Connections as the API shows and takes them; credentials go in and never come out."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from sqlalchemy import Select, func, select

from app.db.tables import Connection, Event, Issue
from app.routers.fields import Name, Plain, Time

ServerName = Literal["us", "emea", "apac", "vorex", "psa", "custom"]
FormEncoding = Literal["multipart", "urlencoded"]
State = Literal["active", "paused", "credentials_rejected"]
Url = Annotated[Plain, Field(min_length=1, max_length=2000)]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=1000)]

CONNECTION_EXAMPLE: dict[str, Any] = {
    "id": "con_01k9x7d3m5q8r2t4v6w8y0z1ab",
    "name": "Example MSP",
    "server": "us",
    "base_url": "https://api.bms.kaseya.com",
    "company": "Example MSP",
    "username": "api@msp.example",
    "state": "active",
    "state_reason": None,
    "capabilities": ["quotation_create", "quotation_lines_list"],
    "settings_saved": True,
    "quoter_enabled": False,
    "form_encoding": "multipart",
    "notice_url": None,
    "webhook": {
        "url": "https://quotebridge.example/webhooks/con_01k9x7d3m5q8r2t4v6w8y0z1ab/quotes",
        "quoter_url": "https://quotebridge.example/webhooks/con_01k9x7d3m5q8r2t4v6w8y0z1ab/quoter",
    },
    "created_at": "2026-03-02T09:00:00Z",
    "checked_at": "2026-03-02T09:00:00Z",
    "open_issues": 0,
    "last_event_at": "2026-03-02T10:15:00Z",
}
SECRET_EXAMPLE = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # noqa: S105 - shown in the documentation


class ConnectionRequest(BaseModel):
    """How to reach and sign in to one BMS company."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "Example MSP",
                    "server": "us",
                    "company": "Example MSP",
                    "username": "api@msp.example",
                    "password": "the password of the API user",
                }
            ]
        },
    )

    name: Name
    server: ServerName = Field(description="the BMS server that the company is on; `custom` needs `base_url`")
    base_url: Url | None = Field(default=None, description="only with `custom`: the API's address, https")
    company: Name = Field(description="the company name as My Settings in BMS shows it")
    username: Name
    password: Secret
    mfa_secret: Secret | None = Field(default=None, description="base32, of a user with a second factor")
    form_encoding: FormEncoding = Field(default="multipart", description="how the sign-in form is sent")


class ConnectionChange(BaseModel):
    """What may be changed; what is left out stays. null clears `mfa_secret`, `quoter_hash_key` and `notice_url`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"password": "the new one", "quoter_hash_key": None}]}
    )

    name: Name | None = None
    base_url: Url | None = Field(default=None, description="only for a `custom` server")
    company: Name | None = None
    username: Name | None = None
    password: Secret | None = None
    mfa_secret: Secret | None = None
    form_encoding: FormEncoding | None = None
    quoter_hash_key: Secret | None = Field(default=None, description="opens the webhook for Quoter's own format")
    notice_url: Url | None = Field(default=None, description="where outgoing notices go; https, a public address")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        needed = {"name", "base_url", "company", "username", "password", "form_encoding"}
        if empty := sorted(name for name in needed & self.model_fields_set if getattr(self, name) is None):
            message = f"{', '.join(empty)} cannot be null; leave out what is to stay"
            raise ValueError(message)
        return self

    def in_clear(self) -> dict[str, Any]:
        """The fields that were given, secrets in clear."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: each.get_secret_value() if isinstance(each, SecretStr) else each for name, each in given.items()}


class WebhookView(BaseModel):
    """Where the frontend sends its events."""

    url: str
    quoter_url: str


class NewWebhookView(WebhookView):
    """Where the frontend sends its events, and what it signs them with; shown this once."""

    signing_secret: str


class ConnectionView(BaseModel):
    """One connection."""

    model_config = ConfigDict(json_schema_extra={"examples": [CONNECTION_EXAMPLE]})

    id: str
    name: str
    server: str
    base_url: str
    company: str
    username: str
    state: State
    state_reason: str | None
    capabilities: list[str]
    settings_saved: bool
    quoter_enabled: bool
    form_encoding: FormEncoding
    notice_url: str | None
    webhook: WebhookView
    created_at: Time
    checked_at: Time | None
    open_issues: int
    last_event_at: Time | None


class NewConnectionView(ConnectionView):
    """A connection just made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **CONNECTION_EXAMPLE,
                    "webhook": {**CONNECTION_EXAMPLE["webhook"], "signing_secret": SECRET_EXAMPLE},
                    "notes": [],
                }
            ]
        }
    )

    webhook: NewWebhookView
    notes: list[str] = Field(description="sentences about what BMS would not tell")


class ChangedConnectionView(ConnectionView):
    """A connection after a change."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**CONNECTION_EXAMPLE, "notice_signing_secret": None}]})

    notice_signing_secret: str | None = Field(
        description="what notices are signed with; shown once, by the change that first sets `notice_url`"
    )


class TestProblem(BaseModel):
    """Why a connection cannot be used at present."""

    __test__ = False  # pytest: not a test

    type: str
    detail: str


class TestView(BaseModel):
    """How a test of a connection went."""

    __test__ = False  # pytest: not a test

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "ok": True,
                    "capabilities": ["quotation_create"],
                    "checked_at": "2026-03-02T09:00:00Z",
                    "problems": [],
                    "notes": [],
                }
            ]
        }
    )

    ok: bool
    capabilities: list[str]
    checked_at: Time
    problems: list[TestProblem]
    notes: list[str]


def with_counts() -> Select[Any]:
    """Connections with the number of their open issues and the time of their last event."""
    open_issues = (
        select(func.count())
        .where(Issue.connection_id == Connection.id, Issue.state == "open")
        .correlate(Connection)
        .scalar_subquery()
    )
    # Ids sort by time, so the last event is found by the primary key instead of by reading them all.
    last_event_at = (
        select(Event.received_at)
        .where(Event.connection_id == Connection.id)
        .order_by(Event.id.desc())
        .limit(1)
        .correlate(Connection)
        .scalar_subquery()
    )
    return select(Connection, open_issues, last_event_at)


def members(row: Sequence[Any], *, address: str) -> dict[str, Any]:
    """A :class:`ConnectionView` of a row of :func:`with_counts`; ``address`` is how the outside reaches us."""
    connection, open_issues, last_event_at = row
    same = ("id", "name", "server", "base_url", "company", "username", "state", "state_reason", "capabilities")
    own = ("form_encoding", "notice_url", "created_at", "checked_at")
    hooks = f"{address}/webhooks/{connection.id}"
    return {name: getattr(connection, name) for name in same + own} | {
        "settings_saved": connection.settings_saved_at is not None,
        "quoter_enabled": connection.quoter_hash_key is not None,
        "webhook": {"url": f"{hooks}/quotes", "quoter_url": f"{hooks}/quoter"},
        "open_issues": open_issues,
        "last_event_at": last_event_at,
    }
