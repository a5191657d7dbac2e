"""`python -m benchmarks.tasks [NUMBER …]`: do the tasks by both ways, and put what came of it in tasks.json.

It needs the peers: captum, grad-cam, quantus and shap. `python docs/generate.py` makes the page.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version

import torch

from benchmarks.tasks import maps, rankings
from benchmarks.tasks.page import RESULTS, Row, read
from benchmarks.tasks.task import Task, outcome, verdict

TASKS = {task.number: task for task in sorted((*maps.TASKS, *rankings.TASKS), key=lambda task: task.number)}


def main(arguments: Sequence[str]) -> None:
    """Do what was asked for, all unless named, and keep the rest of the file."""
    torch.set_num_threads(1)
    for number in map(int, arguments) if arguments else TASKS:
        row = done(TASKS[number])
        kept = [each for each in read() if each["number"] != number]
        rows = sorted([*kept, row], key=lambda each: int(each["number"]))
        RESULTS.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        sides = ", ".join(f"{row[side]['lines']} lines {row[side]['checks'] or row[side]['failed']}" for side in ("ours", "peer"))
        sys.stdout.write(f"{number} {row['title']}: {verdict(row['ours'], row['peer'])}; {sides}\n")
        sys.stdout.flush()


def done(task: Task) -> Row:
    """Both ways, as they are stored."""
    peer, ours = outcome(task, task.peer), outcome(task, task.ours)
    return {
        "number": task.number,
        "title": task.title,
        "version": version(task.peer.tool),
        "peer": asdict(peer),
        "ours": asdict(ours),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
