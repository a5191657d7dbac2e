"""`python -m benchmarks`: run all comparisons, show them, write results.json."""

import json
import platform
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.gradients import rows

RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    """Run everything; rows are shown as they come."""
    console = Console()
    table = Table("work", "network", "peer", "ratio", "spread", "target", "note", box=None)
    found = []
    for row in rows():
        console.print(f"{row.work}, {row.network}: {row.ratio:.2f} × {row.peer}")
        found.append(row)
        spread = f"{row.low:.2f}–{row.high:.2f}"
        table.add_row(row.work, row.network, row.peer, f"{row.ratio:.2f}", spread, f"≥ {row.target}", row.note)
    console.print(table)
    machine = {
        "machine": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    RESULTS.write_text(json.dumps({"machine": machine, "rows": [row.to_dict() for row in found]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
