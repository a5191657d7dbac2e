"""The commands `heatproof runs …`, which look after the folders of runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.cli.console import definitions, out, table
from heatproof.cli.help import Command, Group
from heatproof.core.formatting import count, duration

if TYPE_CHECKING:
    from heatproof.store.run_log import LoggedUnit

SHOWN = 3
"""How many of the units that are being computed are named."""

app = typer.Typer(help="List, check, pack, unite and export the folders of runs.", no_args_is_help=True, cls=Group)

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, such as runs/demo.", show_default=False)]


@app.command("list", cls=Command)
def list_runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder in which to look for runs.")] = Path("runs"),
) -> None:
    """List the runs in a folder: how far each is, and what it holds."""
    from heatproof.core.errors import DataError
    from heatproof.store.status import runs_in, status

    runs = runs_in(folder)
    if not runs:
        raise DataError(f"{folder}: expected runs in this folder, found none; give the folder that runs were written to")
    rows = []
    for run in runs:
        try:
            found = status(run)
        except DataError as error:
            rows.append((str(run.path), "cannot be read", str(error).removeprefix(f"{run.path}/")))
            continue
        held = ", ".join(_held(found))
        rows.append((str(run.path), f"{found.done} of {found.total}", f"{held}; {_size(found.size)}"))
    out.print(table("", "run", "units done", "what it holds", rows=rows))


@app.command("status", cls=Command)
def show_status(run: RunFolder) -> None:
    """Say how far a run is, also while another process computes it."""
    from heatproof.store import Run
    from heatproof.store.status import status

    found = status(Run(run))
    rows: list[tuple[str, ...]] = [
        ("units", f"{found.done} of {found.total} done, {found.failed} failed"),
        ("holds", ", ".join(_held(found))),
    ]
    if found.refused or found.set_aside:
        rows.append(("left out", f"{count(found.refused, 'image')} refused, {count(found.set_aside, 'file')} set aside"))
    if found.running:
        rows.append(("computing", *_computed(found.running)))
    elif found.done + found.failed < found.total:
        rows.append(("computing", "no process at present; the command that started the run continues it"))
    if found.done and found.done < found.total:
        pace = f", one each {duration(1 / found.rate)}, {duration(found.left)} left at this pace" if found.rate > 0 else ""
        rows.append(("last unit", f"finished {duration(found.quiet)} ago{pace}"))
    if found.slowest is not None:
        longest = f"{found.slowest.method} on {found.slowest.model}, {duration(found.slowest.seconds)}"
        rows.append(
            ("longest unit", longest + (f"; most memory of a process {_size(found.peak_bytes)}" if found.peak_bytes else ""))
        )
    rows.append(("size", _size(found.size)))
    out.print(definitions(f"{found.name}, {found.path}", rows))


@app.command("verify", cls=Command)
def verify(
    run: RunFolder,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Move what cannot be used to the folder set_aside, so that it is computed anew.")
    ] = False,
) -> None:
    """Read every part and every file of maps, and name those that are damaged or belong elsewhere."""
    from heatproof.store import Run

    store = Run(run)
    faults = store.set_aside() if set_aside else store.faults()
    for fault in faults:
        out.print(f"{fault.what}: {fault.reason}", markup=False, soft_wrap=True)
    parts = count(len(store.parts()), "part")
    if not faults:
        out.print(f"{run}: {parts}, all whole", markup=False, soft_wrap=True)
        return
    remedy = "moved to set_aside; start the run again" if set_aside else "start the run again, or use --set-aside"
    out.print(f"{run}: {count(len(faults), 'file')} cannot be used; {remedy}", markup=False, soft_wrap=True)
    raise typer.Exit(1)


@app.command("compact", cls=Command)
def compact(run: RunFolder) -> None:
    """Put the finished units of a run into few files. Its scores stay the same."""
    from heatproof.store import Run
    from heatproof.store.packs import compact as packed

    done = packed(Run(run))
    out.print(f"{run}: {count(done.before, 'file')} became {count(done.after, 'file')}", markup=False, soft_wrap=True)


@app.command("merge", cls=Command)
def merge(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="The folders of two or more runs.", show_default=False)],
    folder: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="The new folder.", show_default=False)],
) -> None:
    """Unite runs that were computed in several folders, as on several machines."""
    from heatproof.store import Run
    from heatproof.store.merge import merge as merged
    from heatproof.store.status import status

    found = status(merged([Run(run) for run in runs], folder))
    out.print(f"{folder}: {found.done:,} of {count(found.total, 'unit')} done", markup=False, soft_wrap=True)
    out.print(f"heatproof report {folder} writes the report", markup=False, soft_wrap=True)


@app.command("export", cls=Command)
def export(
    run: RunFolder,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file, .csv or .parquet.", show_default=False)],
) -> None:
    """Write every score of every image to one file."""
    from heatproof.store import Run
    from heatproof.store.export import export as exported

    out.print(f"{file}: {count(exported(Run(run), file), 'record')}", markup=False, soft_wrap=True)


def _computed(running: "Sequence[LoggedUnit]") -> tuple[str, str]:
    """How many units are being computed, and as a remark the first of them with the time that each has taken."""
    from heatproof.store.status import elapsed

    first = [f"{unit.method} on {unit.model} for {duration(elapsed(unit))}" for unit in running[:SHOWN]]
    more = [f"{len(running) - SHOWN} more"] if len(running) > SHOWN else []
    return count(len(running), "unit"), ", ".join(first + more)


def _held(found: object) -> list[str]:
    """The networks, methods, metrics and images of a run, counted."""
    return [count(getattr(found, f"{noun}s"), noun) for noun in ("network", "method", "metric", "image")]


def _size(size: int) -> str:
    """A size in MB of 10^6 bytes."""
    return f"{size / 1e6:.1f} MB"
