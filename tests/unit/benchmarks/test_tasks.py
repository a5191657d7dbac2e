"""The rules by which the tasks of docs/project/measurements/tasks.md are counted and judged; no peer is needed."""

from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.tasks import maps, rankings
from benchmarks.tasks.page import read, snippets, table
from benchmarks.tasks.task import Names, Side, Task, outcome, verdict

ALL = (*maps.TASKS, *rankings.TASKS)


def given() -> Names:
    return {"network": nn.Linear(2, 1), "x": torch.ones(1, 2)}


def task(code: str) -> Task:
    return Task(0, "sum", given, Side("a", code), Side("b", code, {"right": lambda names: names["y"] == 2}), poison="x")


def test_imports_comments_and_empty_lines_do_not_count() -> None:
    assert Side("a", "import torch\nfrom math import pi\n\n# why\ny = 1\nif y:\n    y = 2\n").lines == 3


def test_a_result_is_put_to_the_checks() -> None:
    simple = task("y = x.sum()")
    found = outcome(simple, simple.ours)
    assert (found.checks, found.failed) == ({"right": True, "refuses": False, "untouched": True}, "")
    careful = task("assert not x.isnan().any()\ny = network(x).sum().backward()")
    checks = outcome(careful, careful.ours).checks
    assert checks == {"right": False, "refuses": True, "untouched": False}


def test_what_does_not_run_is_a_result() -> None:
    broken = task("y = nothing")
    assert outcome(broken, broken.ours).failed == "NameError: name 'nothing' is not defined"


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ((1, "right"), (1, "right"), "level"),
        ((1, "right"), (2, "right"), "best"),
        ((2, "right", "error"), (2, "right"), "best"),
        ((3, "right", "error"), (2, "right"), "behind"),
        ((1, "right"), (2, "right", "error"), "behind"),
    ],
)
def test_a_verdict_follows_from_lines_and_checks(mine: Any, theirs: Any, expected: str) -> None:
    ours, peer = ({"lines": side[0], "failed": "", "checks": dict.fromkeys(side[1:], True)} for side in (mine, theirs))
    assert verdict(ours, peer) == expected


def test_a_task_that_ours_cannot_do_is_impossible() -> None:
    assert verdict({"failed": "NameError", "lines": 1, "checks": {}}, {"failed": "", "lines": 1, "checks": {}}) == "impossible"


def test_the_tasks_are_those_of_the_page_and_none_takes_more_lines_than_the_peer() -> None:
    assert sorted(each.number for each in ALL) == list(range(1, 16))
    assert [each.number for each in ALL if each.ours.lines > each.peer.lines] == []


def test_what_was_run_is_what_stands_here() -> None:
    stored = {row["number"]: (row["peer"]["code"], row["ours"]["code"]) for row in read()}
    assert stored == {each.number: (each.peer.code, each.ours.code) for each in ALL}, "run: python -m benchmarks.tasks"
    assert table(read()).count("\n| ") == len(ALL) + 1
    assert all(f"### {each.number}. " in snippets(read()) for each in ALL)


def test_no_task_is_impossible_and_most_are_best() -> None:
    verdicts = [verdict(row["ours"], row["peer"]) for row in read()]
    assert "impossible" not in verdicts
    assert verdicts.count("best") >= 10


NEEDS_NO_OTHER = [each for each in ALL if each.number not in (2, 4, 5, 7, 8)]
"""The tasks that need no package beyond the tests' own; 4 and 5 are parts of 6."""


@pytest.mark.parametrize("each", NEEDS_NO_OTHER, ids=lambda task: str(task.number))
def test_our_way_is_right(each: Task) -> None:
    found = outcome(each, each.ours)
    assert not found.failed
    assert all(found.checks.values()), found.checks
