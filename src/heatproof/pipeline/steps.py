"""The steps of a run that the Python call and the commands share: the executor, the computation, the report."""

from pathlib import Path
from typing import Literal, get_args

from heatproof.core.errors import SettingsError, UsageError
from heatproof.evaluation.executors import Executor, LocalExecutor, RayExecutor, SerialExecutor, SharedExecutor
from heatproof.evaluation.run import RunSummary
from heatproof.report import RunAnalysis, build

ExecutorName = Literal["serial", "local", "shared", "ray"]
"""serial: one unit after another, in this process. local: several processes on this machine. shared: the
same call runs several times at once, on any machines that see the folder, and each process takes the units that no other has.
ray: processes of a Ray cluster, of this machine or of many."""


def executor_of(
    name: str, workers: int | None = None, timeout: float | None = None, address: str | None = None, gpus: float | None = None
) -> Executor:
    """The executor of that name.

    Args:
        name: `serial`, `local`, `shared` or `ray`.
        workers: the number of processes of `local` or `ray`; None means one for each core, or as many as the cluster has room for.
        timeout: the seconds after which `local` or `ray` stops a unit; None means never.
        address: the address of a Ray cluster that is there already; None means one of this machine, unless RAY_ADDRESS names one.
        gpus: the GPUs, or the share of one, of each process of `ray`; None means none.

    Raises:
        SettingsError: the name is another, or there are less than one worker.
        UsageError: a setting stands beside an executor that does not have it, or Ray is not installed.

    >>> from heatproof.pipeline import executor_of
    >>> executor_of("local", workers=2).label
    'local, in 2 processes'
    """
    if name == "ray":
        return RayExecutor(workers, timeout, address, gpus=gpus or 0.0)
    names = get_args(ExecutorName)
    if name not in names:
        raise SettingsError(f"executor: expected {', '.join(names[:-1])} or {names[-1]}, got {name!r}")
    for setting, value in {"address": address, "gpus": gpus}.items():
        if value is not None:
            raise UsageError(f'{setting}: expected executor="ray" beside it, got {name!r}, which uses no cluster')
    if name == "local":
        return LocalExecutor(workers, timeout)
    for setting, value in {"workers": workers, "timeout": timeout}.items():
        if value is not None:
            raise UsageError(f'{setting}: expected executor="local" beside it, got {name!r}, which computes in this process')
    return SharedExecutor() if name == "shared" else SerialExecutor()


def report_of(summary: RunSummary, analysis: RunAnalysis | None = None) -> Path | None:
    """Write the report of a run that has ended, and return the path of its page; None if every unit failed.

    Args:
        summary: the summary of the run.
        analysis: the analysis of its scores, if it was made already.
    """
    failed = {failure.unit for failure in summary.failures}
    return build(analysis or summary.path) if summary.computed + summary.resumed > len(failed) else None
