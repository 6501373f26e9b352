"""`python -m chaos`: a storm on three replicas, with kills, crashes and faults, and a verdict that can fail."""

import asyncio
import base64
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from chaos.ledger import Ledger, read_metric
from chaos.replicas import Replica, crash_database, kill_replicas
from chaos.storm import Frontend, StormQuote, make_quotes
from chaos.verdict import Figure, judge, write_report
from demo.children import sandbox
from local.postgres import own_postgres

REPLICAS = 3
CALL_LIMIT, CALL_WINDOW = 3000, 30
WAITS = {
    "POLL_SECONDS": "1",
    "LEASE_SECONDS": "6",
    "DEBOUNCE_QUIET_SECONDS": "0.5",
    "DEBOUNCE_MAX_SECONDS": "4",
    "DOUBT_GRACE_SECONDS": "3",
    "AUDIT_AFTER_SECONDS": "20",
    "RETRY_BASE_SECONDS": "0.5",
    "RETRY_CAP_SECONDS": "5",
    "BREAKER_COOLDOWN_SECONDS": "1",
    "KASEYA_TIMEOUT_SECONDS": "3",
    "KASEYA_CALL_LIMIT": str(CALL_LIMIT),
    "KASEYA_CALL_WINDOW_SECONDS": str(CALL_WINDOW),
}
FAULTS = (
    {"kind": "drop_before", "probability": 0.01},
    {"kind": "drop_after", "probability": 0.01},
    {"kind": "error_before", "probability": 0.01},
    {"kind": "error_after", "probability": 0.01, "status": 500},
    {"kind": "truncated_body", "probability": 0.01},
    {"kind": "missing_id", "probability": 0.01},
    {"kind": "expired_token", "probability": 0.005},
    {"kind": "throttle", "probability": 0.005, "seconds": 1},
    {"kind": "late_apply", "probability": 0.005, "seconds": 2, "method": "POST"},
)
AT_MOST_SECONDS = 600.0
SHORTEST_PATIENCE = 60.0
UNDER_WAY = ("pending", "syncing", "retrying")
console = Console()


def main(
    quotes: Annotated[int, typer.Option(help="how many quotes")] = 500,
    events: Annotated[int, typer.Option(help="events of each quote")] = 10,
    minutes: Annotated[float, typer.Option(help="how long the storm blows")] = 5,
    report: Annotated[
        Path | None, typer.Option(help="a folder for all calls, runs and issues, to read afterwards")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="repeat the quotes and the order of a storm")] = None,
) -> None:
    """Blow a storm, let it settle, and judge what is left."""
    seed = secrets.randbelow(10**6) if seed is None else seed
    console.print(f"storm {seed}: {quotes} quotes, {quotes * events} events, {minutes:g} minutes, then time to settle")
    storm = Storm(make_quotes(quotes, events_each=events, chance=random.Random(seed)), minutes, seed, report)
    figures = asyncio.run(_blow(storm))
    _show(figures)
    raise typer.Exit(0 if all(figure.ok for figure in figures) else 1)


@dataclass(frozen=True, slots=True)
class Storm:
    """What is to happen."""

    quotes: list[StormQuote]
    minutes: float
    seed: int
    report: Path | None


async def _blow(storm: Storm) -> list[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="quotebridge-chaos-") as folder,
        own_postgres() as database_url,
        sandbox(Path(folder), contract="extended") as bms,
    ):
        return await _with_bms(Path(folder), database_url, bms.url, storm)


async def _with_bms(folder: Path, database_url: str, bms_url: str, storm: Storm) -> list[Figure]:
    chance = random.Random(storm.seed)
    key = secrets.token_hex(20)
    environment = _environment(database_url, bms_url, key)
    await asyncio.to_thread(_migrate, environment)
    replicas = [Replica(number, environment, folder) for number in range(1, REPLICAS + 1)]
    crashes: list[float] = []
    started = time.monotonic()
    try:
        await asyncio.gather(*(replica.start() for replica in replicas))
        async with httpx.AsyncClient(base_url=bms_url, timeout=30) as control:
            await control.post(
                "/_sandbox/settings", json={"call_limit": CALL_LIMIT, "call_window_seconds": CALL_WINDOW}
            )
            frontend = await _connect(replicas, bms_url, key, chance)
            for fault in FAULTS:
                (await control.post("/_sandbox/faults", json={**fault, "times": None})).raise_for_status()
            ledger = Ledger(database_url, frontend.acknowledged)
            counting = asyncio.create_task(ledger.keep())
            trouble = [
                asyncio.create_task(kill_replicas(replicas, chance, every=(3, 12))),
                asyncio.create_task(crash_database(database_url, chance, every=(5, 40), crashes=crashes)),
            ]
            over = timedelta(minutes=storm.minutes)
            sending = asyncio.create_task(frontend.send_all(storm.quotes, over=over))
            # A slow machine is late with its events: what it has not sent when the storm is over, it sends in the calm.
            await asyncio.wait([sending], timeout=1.1 * over.total_seconds())
            await _calm(trouble, replicas, control)
            await sending
            await _settle(replicas, frontend, key, patience=AT_MOST_SECONDS - (time.monotonic() - started))
            counting.cancel()
            state = (await control.get("/_sandbox/state")).json()
            violations = (await control.get("/_sandbox/violations")).json()
            if storm.report:
                await write_report(storm.report, database_url, state, (await control.get("/_sandbox/calls")).json())
        told = await read_metric(replicas[0].url)
        figures = await judge(
            database_url, state, violations, storm.quotes, frontend.acknowledged, ledger=ledger, told=told
        )
        kills = sum(replica.lives for replica in replicas) - REPLICAS
        return [
            Figure("events sent · tries", f"{len(frontend.acknowledged)} · {frontend.tries}", ok=True),
            Figure("replicas killed · database crashes", f"{kills} · {len(crashes)}", ok=True),
            Figure("seconds, with settling", f"{time.monotonic() - started:.0f}", ok=True),
            *figures,
        ]
    finally:
        for replica in replicas:
            await replica.kill()


async def _calm(trouble: "list[asyncio.Task[Any]]", replicas: list[Replica], control: httpx.AsyncClient) -> None:
    for task in trouble:
        task.cancel()
    await asyncio.gather(*trouble, return_exceptions=True)
    (await control.delete("/_sandbox/faults")).raise_for_status()
    for replica in replicas:
        if replica.process is None or replica.process.poll() is not None:
            await replica.start()


async def _settle(replicas: list[Replica], frontend: Frontend, key: str, *, patience: float) -> None:
    """Wait until nothing is under way any more, and the late audit looks are over."""
    audits = float(WAITS["AUDIT_AFTER_SECONDS"]) * 1.5
    base = frontend.path.replace("/webhooks/", "/v1/connections/").removesuffix("/quotes")
    deadline = time.monotonic() + max(patience - audits, SHORTEST_PATIENCE)
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=30) as api:
        while time.monotonic() < deadline:
            await asyncio.sleep(1)
            moving = [await _are_any(api, f"{replicas[0].url}{base}/quotes", state) for state in UNDER_WAY]
            if not any(moving):
                await asyncio.sleep(audits)
                return


async def _are_any(api: httpx.AsyncClient, url: str, state: str) -> bool:
    """Whether any quote is in this state; a replica that is still starting cannot tell, so perhaps."""
    try:
        answer = await api.get(url, params={"state": state, "limit": 1})
    except httpx.HTTPError:
        return True
    return bool(answer.json()["items"]) if answer.is_success else True


async def _connect(replicas: list[Replica], bms_url: str, key: str, chance: random.Random) -> Frontend:
    sign_in = {"company": "Example MSP", "username": "api@msp.example", "password": "sandbox-password"}
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=replicas[0].url, headers=headers, timeout=30) as api:
        body = {"name": "Storm", "server": "custom", "base_url": bms_url, **sign_in}
        made = (await api.post("/v1/connections", json=body)).raise_for_status().json()
        path = f"/v1/connections/{made['id']}/settings"
        settings = (await api.get(f"{path}/proposed")).raise_for_status().json()["settings"]
        settings["service_quotation"] |= {
            "enabled": True,
            "default_item_type": {"kind": "service", "item_type_id": "301"},
            "distributor_type_id": "311",
        }
        (await api.put(path, json=settings)).raise_for_status()
    return Frontend(f"/webhooks/{made['id']}/quotes", made["webhook"]["signing_secret"], replicas, chance)


def _environment(database_url: str, bms_url: str, key: str) -> dict[str, str]:
    ours = {
        "DATABASE_URL": database_url,
        "SECRET_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "ADMIN_TOKEN": key,
        "ALLOWED_KASEYA_HOSTS": bms_url.removeprefix("http://"),
        **WAITS,
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUOTEBRIDGE_")}
    return kept | {f"QUOTEBRIDGE_{name}": value for name, value in ours.items()}


def _migrate(environment: dict[str, str]) -> None:
    command = [sys.executable, "-c", "from app.cli import main; main()", "migrate"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def _show(figures: list[Figure]) -> None:
    table = Table("what", "figure", "", title="After the storm")
    for figure in figures:
        table.add_row(figure.name, figure.value, "ok" if figure.ok else "[bold red]FAILED")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
