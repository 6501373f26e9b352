"""How much CPU a PostgreSQL server has used, with all its backends, dead or alive, and its helpers."""

import os
from datetime import timedelta
from pathlib import Path

import asyncpg

TICK = timedelta(seconds=1) / os.sysconf("SC_CLK_TCK")


async def postmaster_of(dsn: str) -> int:
    """The process id of the server, which is the parent of all its backends."""
    connection = await asyncpg.connect(dsn)
    try:
        backend: int = await connection.fetchval("SELECT pg_backend_pid()")
        return int(_stat(backend)[1])
    finally:
        await connection.close()


def used_by_server(postmaster: int) -> timedelta:
    """CPU time of the server and its children; of those that have ended, too."""
    used = _used(_stat(postmaster), with_ended_children=True)
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and (stat := _stat(int(each.name))) and int(stat[1]) == postmaster:
            used += _used(stat)
    return used


def used_by(pid: int) -> timedelta:
    """CPU time of one process."""
    return _used(_stat(pid))


def used_here() -> timedelta:
    """CPU time of this process."""
    times = os.times()
    return timedelta(seconds=times.user + times.system)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none where the process has just gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _used(stat: list[str], *, with_ended_children: bool = False) -> timedelta:
    fields = stat[11:15] if with_ended_children else stat[11:13]
    return sum(map(int, fields)) * TICK
