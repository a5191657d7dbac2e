"""The steps of a run that the Python call and the commands share: the executor, the computation, the report."""

from pathlib import Path
from typing import Literal, get_args

from heatproof.core.errors import SettingsError, UsageError
from heatproof.evaluation.executors import Executor, LocalExecutor, SerialExecutor, SharedExecutor
from heatproof.evaluation.run import RunSummary
from heatproof.report import build

ExecutorName = Literal["serial", "local", "shared"]
"""serial: one unit after another, in this process. local: several processes on this machine. shared: the
same call runs several times at once, on any machines that see the folder, and each process takes the units that no other has."""


def executor_of(name: str, workers: int | None = None, timeout: float | None = None) -> Executor:
    """The executor of that name.

    Args:
        name: `serial`, `local` or `shared`.
        workers: the number of processes of `local`; None means one for each core.
        timeout: the seconds after which `local` stops a unit; None means never.

    Raises:
        SettingsError: the name is another, or there are less than one worker.
        UsageError: `workers` or `timeout` stands beside `serial` or `shared`, which have neither.

    >>> from heatproof.pipeline import executor_of
    >>> executor_of("local", workers=2).label
    'local, in 2 processes'
    """
    if name == "local":
        return LocalExecutor(workers, timeout)
    names = get_args(ExecutorName)
    if name not in names:
        raise SettingsError(f"executor: expected {', '.join(names[:-1])} or {names[-1]}, got {name!r}")
    for setting, value in {"workers": workers, "timeout": timeout}.items():
        if value is not None:
            raise UsageError(f'{setting}: expected executor="local" beside it, got {name!r}, which computes in this process')
    return SharedExecutor() if name == "shared" else SerialExecutor()


def report_of(summary: RunSummary) -> Path | None:
    """Write the report of a run that has ended, and return the path of its page; None if every unit failed."""
    failed = {failure.unit for failure in summary.failures}
    return build(summary.path) if summary.computed + summary.resumed > len(failed) else None
