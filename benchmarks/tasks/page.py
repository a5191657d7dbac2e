"""What docs/project/measurements/tasks.md shows of tasks.json: a table of all tasks, and both snippets of each."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.tasks.task import WORDS, verdict

RESULTS = Path(__file__).with_name("tasks.json")
Row = dict[str, Any]


def read() -> list[Row]:
    """The tasks that were done, in order."""
    return json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else []


def table(rows: list[Row]) -> str:
    """One line for each task, and how many are best."""
    lines = ["| # | task | peer | lines | passes | lines here | passes here | verdict |", "| --- " * 8 + "|"]
    for row in rows:
        peer, ours = row["peer"], row["ours"]
        name = f"{peer['tool']} {row['version']}"
        cells = (row["number"], row["title"], name, peer["lines"], _passed(peer), ours["lines"], _passed(ours), verdict(ours, peer))
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    found = Counter(verdict(row["ours"], row["peer"]) for row in rows)
    longer = sum(row["ours"]["lines"] > row["peer"]["lines"] for row in rows)
    counted = ", ".join(f"{count} {word}" for word, count in sorted(found.items()))
    return "\n".join([*lines, "", f"Of {len(rows)} tasks: {counted}; more lines than the peer in {longer}.", ""])


def snippets(rows: list[Row]) -> str:
    """Both ways of each task."""
    parts = []
    for row in rows:
        parts.append(f"### {row['number']}. {row['title']}\n")
        parts += [_snippet(row["peer"]), _snippet(row["ours"])]
    return "\n".join(parts)


def _snippet(side: Row) -> str:
    return f"{side['tool']}, {_counted(side['lines'])}:\n\n```python\n{side['code'].strip()}\n```\n"


def _counted(lines: int) -> str:
    return f"{lines} line" + "s" * (lines != 1)


def _passed(side: Row) -> str:
    if side["failed"]:
        return "—"
    return ", ".join(word for check, word in WORDS.items() if side["checks"].get(check)) or "nothing"
