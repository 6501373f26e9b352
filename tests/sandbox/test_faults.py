"""Faults on demand: what the client sees, and what BMS has done all the same."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sandbox.errors import ConnectionDroppedError

if TYPE_CHECKING:
    from tests.sandbox.conftest import Bms

Body = dict[str, Any]

CREATE = {"method": "POST", "template": "/v2/crm/opportunities"}


async def send(bms: Bms, opportunity: Body) -> str:
    try:
        answer = await bms.http.post("/v2/crm/opportunities", json=opportunity)
        body = answer.json()
    except ConnectionDroppedError:
        return "dropped"
    except ValueError:
        return "unreadable"
    if answer.status_code != 200:
        return str(answer.status_code)
    if not body["success"]:
        return "refused"
    return "fine" if "id" in body["result"] else "without id"


@pytest.mark.parametrize(
    ("kind", "seen", "is_applied"),
    [
        ("drop_before", "dropped", False),
        ("drop_after", "dropped", True),
        ("error_before", "503", False),
        ("error_after", "503", True),
        ("success_false", "refused", False),
        ("missing_id", "without id", True),
        ("truncated_body", "unreadable", True),
        ("expired_token", "401", False),
        ("throttle", "429", False),
    ],
)
async def test_a_fault_happens_once_and_does_what_its_name_says(
    published: Bms, opportunity: Body, kind: str, seen: str, *, is_applied: bool
) -> None:
    await published.fault(kind, **CREATE)
    assert await send(published, opportunity) == seen
    assert len(await published.state("opportunities")) == 2 + is_applied
    if kind == "expired_token":
        await published.sign_in()
    assert await send(published, opportunity) == "fine"
    assert await published.violations() == []


async def test_a_late_write_is_applied_after_its_connection_was_dropped(published: Bms, opportunity: Body) -> None:
    await published.fault("late_apply", seconds=5, **CREATE)
    assert await send(published, opportunity) == "dropped"
    assert len(await published.state("opportunities")) == 2
    published.clock.wake.set()
    await asyncio.sleep(0)
    assert len(await published.state("opportunities")) == 3


async def test_a_stale_list_hides_what_is_young(published: Bms, opportunity: Body) -> None:
    assert await send(published, opportunity) == "fine"
    await published.fault("stale_list", seconds=30, template="/v2/crm/opportunities", times=None)
    assert (await published.http.get("/v2/crm/opportunities")).json()["totalRecords"] == 2
    published.clock.move(seconds=30)
    assert (await published.http.get("/v2/crm/opportunities")).json()["totalRecords"] == 3


async def test_a_fault_can_wait_for_a_later_call(published: Bms, opportunity: Body) -> None:
    await published.fault("error_before", skip=1, status=500, **CREATE)
    assert [await send(published, opportunity) for _ in range(3)] == ["fine", "500", "fine"]


async def test_while_bms_is_down_every_call_is_dropped(published: Bms, opportunity: Body) -> None:
    await published.http.post("/_sandbox/down", json={"seconds": 60})
    assert await send(published, opportunity) == "dropped"
    published.clock.move(seconds=60)
    await published.sign_in()
    assert await send(published, opportunity) == "fine"


async def test_an_unknown_fault_is_refused_in_a_sentence(published: Bms) -> None:
    answer = await published.http.post("/_sandbox/faults", json={"kind": "earthquake"})
    assert (answer.status_code, "There is no fault 'earthquake'" in answer.json()["title"]) == (422, True)


@pytest.fixture
def process() -> Iterator[str]:
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--contract", "extended"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            said = re.fullmatch(r"sandbox listening on (http://127\.0\.0\.1:\d+)\n", running.stdout.readline())
            assert said is not None
            yield said[1]
        finally:
            running.terminate()
            assert running.stderr is not None
            complaints = running.stderr.read()
    assert complaints == ""


def test_a_process_of_its_own_drops_connections_without_an_answer(
    process: str, credentials: dict[str, str], opportunity: Body
) -> None:
    with httpx.Client(base_url=process) as http:
        token = http.post("/v2/security/authenticate", data=credentials).json()["result"]["accessToken"]
        http.headers["Authorization"] = f"Bearer {token}"
        for kind in ("drop_before", "drop_after"):
            http.post("/_sandbox/faults", json={"kind": kind, **CREATE})
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                http.post("/v2/crm/opportunities", json=opportunity)
        http.post("/_sandbox/down")
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            http.get("/v2/crm/accounts/lookup")
        http.delete("/_sandbox/down")
        assert http.get("/v2/crm/accounts/lookup").status_code == 200
        assert len(http.get("/_sandbox/state").json()["opportunities"]) == 3
