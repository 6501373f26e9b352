"""What the figures were measured on, and whether somebody else was using it."""

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local.binaries import find_binaries

QUIET_LOAD = 0.25
"""The load average per core up to which a machine counts as quiet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine at the moment at which it was looked at; ``load`` is its load average of one minute."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    postgres: str
    load: float

    @property
    def is_quiet(self) -> bool:
        """Whether nobody else was using it much."""
        return self.load <= QUIET_LOAD * self.cores

    def __str__(self) -> str:
        return (
            f"{self.cores} cores ({self.processor}), {self.memory_gib:.0f} GiB, {self.system}, "
            f"Python {self.python}, PostgreSQL {self.postgres}"
        )


def look_at_machine() -> Machine:
    """Look at the machine that this runs on.

    Raises:
        LocalPostgresError: There is no PostgreSQL to measure with.
    """
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        postgres=_postgres(),
        load=os.getloadavg()[0],
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _postgres() -> str:
    postgres = find_binaries().bin_dir / "postgres"
    done = subprocess.run([postgres, "--version"], check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().split()[2]
