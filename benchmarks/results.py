"""results.json: the last row of every comparison, each with the machine it was run on."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.groups import GROUPS
from benchmarks.harness import Row

RESULTS = Path(__file__).parent / "results.json"


def read(path: Path = RESULTS) -> list[Row]:
    """The rows that are there; none without a file."""
    if not path.exists():
        return []
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]


def add(rows: Sequence[Row], path: Path = RESULTS) -> None:
    """Write the rows in place of earlier ones of the same group and network, and keep all others."""
    replaced = {(row.group, row.network) for row in rows}
    kept = [row for row in read(path) if (row.group, row.network) not in replaced]
    text = json.dumps({"rows": [asdict(row) for row in sorted([*kept, *rows], key=_position)]}, indent=1, ensure_ascii=False)
    part = path.with_suffix(".part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(path)


def on_this_machine(row: Row) -> Row:
    """The row with the facts of this machine."""
    return replace(row, machine=machine())


def machine() -> dict[str, Any]:
    """What a ratio depends on: the processor, how it computes in bfloat16, threads and torch."""
    import torch

    facts = _processor()
    flags = set(facts.get("flags", "").split())
    return {
        "cpu": facts.get("model name", platform.processor() or platform.machine()),
        "cores": os.cpu_count(),
        "bf16": "avx512_bf16" in flags,
        "amx": "amx_bf16" in flags,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _processor() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().split("\n\n")[0].splitlines() if path.exists() else []
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _position(row: Row) -> tuple[int, str]:
    return (GROUPS.index(row.group) if row.group in GROUPS else len(GROUPS)), row.network
