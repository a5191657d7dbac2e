"""A task, done twice: by a peer's code and by ours, counted and judged by the same rules.

**Lines.** Lines of a snippet that are neither empty, nor a comment, nor an import. Both snippets begin with the same given names,
and both are written as their documentation would, in at most 132 columns.

**Checks.** Both results are put to the same checks, each a function of the names that a snippet leaves behind:

    right       the result agrees with a closed form, or with the formula of the paper computed by hand
    raw         the values are the method's own: neither cut off nor rescaled
    error       it is stated how far the result is from its limit: a gap, a standard error or an interval
    control     a control is scored beside the methods, or the result says whether it is one
    picture     a picture came out
    refuses     the same snippet, given an input with a NaN, raises an error instead of returning numbers
    untouched   the network is as it was: weights, gradients, hooks, train flags

**Verdict.** Ours is *best* where it passes every check that the peer passes and takes no more lines, and either passes another
check or takes fewer lines; *level* where checks and lines are the same; *behind* otherwise. A task that ours cannot do is
*impossible*.
"""

import contextlib
import io
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

Names = dict[str, Any]
Check = Callable[[Names], bool]

WORDS = {
    "right": "right",
    "raw": "raw values",
    "error": "error stated",
    "control": "control",
    "picture": "picture",
    "refuses": "refuses NaN",
    "untouched": "network untouched",
}
"""The checks, in words."""
TOLERANCE = 0.01
"""The largest difference from a map by hand, relative to its largest value."""


@dataclass(frozen=True)
class Side:
    """One way to do a task.

    tool    the package.
    code    the snippet.
    checks  what only this side's names say, by the name of the check; the others are the task's.
    """

    tool: str
    code: str
    checks: Mapping[str, Check] = field(default_factory=dict)

    @property
    def lines(self) -> int:
        """The number of lines that count."""
        return sum(counts(line) for line in self.code.splitlines())


def counts(line: str) -> bool:
    """Whether a line of a snippet counts."""
    text = line.strip()
    return bool(text) and not text.startswith(("#", "import ", "from "))


@dataclass(frozen=True)
class Task:
    """A task.

    number  its number.
    title   what is to be done.
    given   makes the names that both snippets begin with; called anew for each.
    peer    the peer's way.
    ours    our way.
    poison  the given tensor that gets a NaN for the check `refuses`; "" where there is none.
    """

    number: int
    title: str
    given: Callable[[], Names]
    peer: Side
    ours: Side
    poison: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of one side: the lines, the checks, and why it did not run."""

    tool: str
    code: str
    lines: int
    checks: dict[str, bool]
    failed: str = ""


def outcome(task: Task, side: Side) -> Outcome:
    """Run one side of a task, and put what it leaves to the checks."""
    try:
        given = task.given()
        before = {name: state_of(value) for name, value in given.items() if isinstance(value, nn.Module)}
        checks = run(side.code, given, side.checks)
    except Exception as error:  # what does not run is a result
        return Outcome(side.tool, side.code, side.lines, {}, f"{type(error).__name__}: {error}".splitlines()[0][:200])
    if task.poison:
        checks["refuses"] = refuses(task, side)
    if before:
        checks["untouched"] = all(state_of(given[name]) == state for name, state in before.items())
    return Outcome(side.tool, side.code, side.lines, checks)


def run(code: str, given: Names, checks: Mapping[str, Check]) -> dict[str, bool]:
    """Run a snippet in an empty folder and without its words; put the names that it leaves, `files` among them, to the checks."""
    names, here = dict(given), os.getcwd()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        os.chdir(folder)
        try:
            exec(compile(code, "snippet", "exec"), names)
            names["files"] = sorted(os.listdir(folder))
            return {name: bool(check(names)) for name, check in checks.items()}
        finally:
            os.chdir(here)


def refuses(task: Task, side: Side) -> bool:
    """Whether the snippet raises an error where an input has a NaN."""
    given = task.given()
    given[task.poison] = given[task.poison].clone()
    given[task.poison].view(-1)[0] = torch.nan
    try:
        run(side.code, given, {})
    except Exception:
        return True
    return False


def state_of(network: nn.Module) -> Any:
    """What an explanation must leave as it was."""
    weights = [(name, float(p.detach().double().sum()), p.requires_grad, p.grad is None) for name, p in network.named_parameters()]
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in network.modules()]
    return weights, hooks, [m.training for m in network.modules()]


def near(found: Any, expected: Tensor, tolerance: float = TOLERANCE) -> bool:
    """Whether a map is the one by hand, up to the tolerance."""
    values = torch.as_tensor(found).detach().double().reshape(expected.shape)
    return bool((values - expected.double()).abs().max() <= tolerance * expected.abs().max())


def near_up_to_scale(found: Any, expected: Tensor, tolerance: float = 0.05) -> bool:
    """Whether a map shown in [0, 1] is the positive part of the one by hand, each relative to its largest value."""
    shown, wanted = torch.as_tensor(found).detach().double().reshape(expected.shape), expected.double().relu()
    return near(
        (shown - shown.min()) / (shown.max() - shown.min()), (wanted - wanted.min()) / (wanted.max() - wanted.min()), tolerance
    )


def verdict(ours: Mapping[str, Any], peer: Mapping[str, Any]) -> str:
    """The verdict on a task, from two outcomes as they are stored."""
    if ours["failed"]:
        return "impossible"
    mine, theirs = ({name for name, passed in side["checks"].items() if passed} for side in (ours, peer))
    if not mine >= theirs or ours["lines"] > peer["lines"]:
        return "behind"
    return "best" if mine > theirs or ours["lines"] < peer["lines"] else "level"
