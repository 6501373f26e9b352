"""A worker process that is stopped (SIGSTOP) in the middle of a call, and wakes up when its lane is another's."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures.engine import BRISK
from tests.fixtures.management import ADMIN
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Service, serving
from tests.reliability.conftest import EAGER, made, whole
from tests.reliability.test_killed import DEADLINE, ONE_OF_EACH, connect, post, state_of

QUICK = {**BRISK, **EAGER, "lease_seconds": 1, "kaseya_timeout_seconds": 30}
SLOW = 2.5
"""Seconds that BMS takes for the call in whose middle the worker is stopped: longer than its lease."""


def soon(look: Callable[[], Any]) -> Any:
    until = time.monotonic() + 4 * DEADLINE
    while not (found := look()):
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.005)
    return found


def arrived(bms: Sandbox, method: str, template: str) -> list[dict[str, Any]]:
    return [call for call in bms.calls() if (call["method"], call["template"]) == (method, template)]


def is_gone(service: Service) -> bool:
    """Whether it does not listen any more, which is when it has finished."""
    try:
        httpx.get(f"{service.url}/livez", timeout=DEADLINE, trust_env=False)
    except httpx.TransportError:
        return True
    return False


@pytest.mark.parametrize(
    ("method", "template"), [("GET", "/v2/crm/accounts/summary"), ("POST", "/v2/crm/opportunities")]
)
def test_a_worker_that_wakes_up_behind_its_lease_settles_nothing_and_writes_nothing_more(
    clean_database: str, bms: Sandbox, tmp_path: Path, method: str, template: str
) -> None:
    bms.settings(contract="extended")
    first_folder, second_folder = tmp_path / "first", tmp_path / "second"
    for folder in (first_folder, second_folder):
        folder.mkdir()
    headers = {"Authorization": f"Bearer {ADMIN}"}
    with serving(clean_database, bms, folder=first_folder, **QUICK) as first:
        with httpx.Client(base_url=first.url, headers=headers, timeout=10, trust_env=False) as api:
            connection_id, secret = connect(api, bms)
            bms.fault("slow", method=method, template=template, seconds=SLOW)
            post(api, connection_id, secret, whole())
            soon(lambda: arrived(bms, method, template))
        os.kill(first.pid, signal.SIGSTOP)
        try:
            with (
                serving(clean_database, bms, folder=second_folder, **QUICK) as second,
                httpx.Client(base_url=second.url, headers=headers, timeout=10, trust_env=False) as api,
            ):
                soon(lambda: state_of(api, connection_id)["state"] == "synced")
                before, calls_before = state_of(api, connection_id), len(bms.calls())
                os.kill(first.pid, signal.SIGCONT)
                os.kill(first.pid, signal.SIGTERM)  # upon which it finishes what it takes to be in hand
                soon(lambda: is_gone(first))
                after = state_of(api, connection_id)
        finally:
            os.kill(first.pid, signal.SIGCONT)  # so that it can be ended, whatever went wrong
    assert [call["template"] for call in bms.calls()[calls_before:]] == []
    assert after == before
    assert made(bms) == ONE_OF_EACH
