"""``python -m fuzz``: a million mutated requests, over all processors; says how many were believed."""

import argparse
import os
import secrets
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from fuzz.signatures import attack

PER_RUN = 10_000


def main() -> int:
    """Attack, and return 1 if any of it was believed."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000, help="how many (a million)")
    parser.add_argument("--seed", type=int, default=None, help="where to start; else a random number")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="how many at a time (all processors)"
    )
    asked = parser.parse_args()
    seed = secrets.randbelow(10**9) if asked.seed is None else asked.seed
    runs = max(1, -(-asked.requests // PER_RUN))
    each = min(PER_RUN, asked.requests)
    started = time.monotonic()
    with ProcessPoolExecutor(asked.processes) as pool:
        found = [one for run in pool.map(partial(attack, count=each), range(seed, seed + runs)) for one in run]
    for one in found[:10]:
        print(f"believed after {one.mutation} (python -m fuzz --seed {one.seed} --requests {each}): {one.request}")
    took = time.monotonic() - started
    print(f"{runs * each:,} mutated requests from seed {seed}: {len(found):,} believed. {took:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
