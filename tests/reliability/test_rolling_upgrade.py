"""A migration goes up and down again under two replicas that take events and work: nothing is lost, nothing twice."""

import itertools
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from app.db.migrate import alembic_config
from app.intake.signature import sign
from tests.fixtures.engine import event
from tests.fixtures.management import ADMIN
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import serving
from tests.reliability.test_killed import QUICK, connect
from tests.reliability.test_stopped import soon

PAUSE = 0.05
"""Seconds between two events: enough of them to meet the migration, and not more than can be synced afterwards."""
NEXT_VERSION = '''"""What a next version might bring."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "next_version", "{head}"


def upgrade() -> None:
    op.add_column("quotes", sa.Column("next_version", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_quotes_next_version", "quotes", ["connection_id", "next_version"])


def downgrade() -> None:
    op.drop_index("ix_quotes_next_version", "quotes")
    op.drop_column("quotes", "next_version")
'''


def _with_next_version(url: str, folder: Path) -> Config:
    config = alembic_config(url)
    script = ScriptDirectory.from_config(config)
    (folder / "next_version.py").write_text(NEXT_VERSION.format(head=script.get_current_head()))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{script.versions}\n{folder}")
    return config


def _keep_sending(
    replicas: Iterator[httpx.Client], connection_id: str, secret: str, over: threading.Event, taken: set[str]
) -> None:
    """Send events, each until it is taken, to one replica after the other."""
    for number in itertools.count():
        if over.wait(PAUSE):
            return
        quote_id = f"q-{number}"
        body = json.dumps(event(quote_id=quote_id)).encode()
        while True:
            now = datetime.now(UTC)
            headers = {
                "content-type": "application/json",
                "webhook-id": f"msg_{quote_id}",
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": sign(secret, f"msg_{quote_id}", now, body),
            }
            answer = next(replicas).post(f"/webhooks/{connection_id}/quotes", content=body, headers=headers)
            if answer.status_code == 202:
                taken.add(quote_id)
                break
            assert answer.status_code == 503, answer.text


def _synced(api: httpx.Client, quotes: str) -> set[str]:
    found, cursor = set[str](), dict[str, str]()
    while True:
        page = api.get(quotes, params={"state": "synced", "limit": 250, **cursor}).raise_for_status().json()
        found |= {row["quote_id"] for row in page["items"]}
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def test_a_migration_up_and_down_under_load_loses_nothing(
    empty_database_url: str, bms: Sandbox, tmp_path: Path
) -> None:
    bms.settings(contract="extended")
    folders = [tmp_path / name for name in ("first", "second", "versions")]
    for folder in folders:
        folder.mkdir()
    command.upgrade(alembic_config(empty_database_url), "head")
    config = _with_next_version(empty_database_url, folders[2])
    how: dict[str, Any] = {"headers": {"Authorization": f"Bearer {ADMIN}"}, "timeout": 30, "trust_env": False}
    over, taken = threading.Event(), set[str]()
    with (
        serving(empty_database_url, bms, folder=folders[0], **QUICK) as one,
        serving(empty_database_url, bms, folder=folders[1], **QUICK) as two,
        httpx.Client(base_url=one.url, **how) as first,
        httpx.Client(base_url=two.url, **how) as second,
    ):
        connection_id, secret = connect(first, bms)
        quotes = f"/v1/connections/{connection_id}/quotes"
        both = itertools.cycle([first, second])
        sender = threading.Thread(target=_keep_sending, args=(both, connection_id, secret, over, taken))
        sender.start()
        try:
            soon(lambda: len(taken) > 3)
            command.upgrade(config, "next_version")
            upgraded = len(taken)
            assert first.get("/readyz").is_success, "a balancer would take every replica out"
            soon(lambda: len(taken) > upgraded + 3)
            command.downgrade(config, "-1")
            downgraded = len(taken)
            soon(lambda: len(taken) > downgraded + 3)
        finally:
            over.set()
            sender.join()

        soon(lambda: _synced(second, quotes) >= taken)
    made = [row for row in bms.state()["opportunities"] if row["id"] > 1302]
    assert len(made) == len(taken)
