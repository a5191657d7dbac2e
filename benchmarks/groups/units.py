"""What a unit costs beyond its passes, against the bounds, and how the memory of the driver grows with the units."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.harness import FULL, ROOT, Row, Size, Spread

NETWORKS = ("null",)
BOUNDS = {"serial": 0.02, "local": 0.02, "ray": 0.05}
"""Seconds per unit."""


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row of time for each executor, and one of memory."""
    few, many = (1_000, 10_000) if size == FULL else (100, 200)
    row = partial(Row.of, "units", network=network)
    for executor, bound in BOUNDS.items():
        text = partial(row, f"{executor}, time", work=f"{few:,} null units", peer=f"the bound, {1000 * bound:.0f} ms a unit")
        if executor == "ray" and importlib.util.find_spec("ray") is None:
            yield text(spread=None, note="ray is not installed")
            continue
        times = sorted(measured(executor, few)["per_unit"] for _ in range(rounds))
        middle = times[len(times) // 2]
        spread = Spread(middle / bound, times[0] / bound, times[-1] / bound)
        yield text(spread=spread, note=f"{1000 * middle:.1f} ms a unit, {1 / middle:.0f} units a second")
    before, after = measured("local", few)["peak"], measured("local", many)["peak"]
    note = f"{after:.0f} against {before:.0f} MiB"
    work = f"{many:,} null units, peak memory of the driver"
    yield row("local, memory", work=work, peer=f"{few:,} units", spread=Spread(*[after / before] * 3), note=note)


def measured(executor: str, units: int) -> dict[str, Any]:
    """One run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.units", "run", executor, str(units)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
