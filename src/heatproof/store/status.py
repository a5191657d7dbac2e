"""How far a run is, read from its folder alone, so that any process may ask while others compute."""

import time
from dataclasses import dataclass
from pathlib import Path

from heatproof.store.run import Run

RECENT = 20
"""The number of parts, the latest ones, from whose times the rate is computed."""


@dataclass(frozen=True)
class RunStatus:
    """The state of a run.

    Attributes:
        path: its folder.
        name: its name.
        created: when it was first started, as text.
        networks: the number of networks, as `methods`, `metrics` and `images`.
        methods: the number of methods.
        metrics: the number of metrics.
        images: the number of images.
        done: the units that are finished.
        total: the units of the run; a run that stops early has fewer in the end.
        failed: the units that failed and are not finished since.
        refused: the images that were refused.
        set_aside: the files that could not be used and were moved away.
        size: the size of the folder, in bytes.
        quiet: the time since the last unit was finished, in seconds; NaN if none is.
        rate: the units per second that the last twenty finished units came at; NaN for fewer than two.
    """

    path: Path
    name: str
    created: str
    networks: int
    methods: int
    metrics: int
    images: int
    done: int
    total: int
    failed: int
    refused: int
    set_aside: int
    size: int
    quiet: float
    rate: float

    @property
    def left(self) -> float:
        """The time in seconds until the end at the present rate; NaN if there is no rate."""
        return (self.total - self.done) / self.rate if self.total > self.done else 0.0


def status(run: Run) -> RunStatus:
    """The state of a run now.

    Raises:
        DataError: run.json is missing or damaged.
    """
    manifest = run.manifest()
    units = {unit.unit for unit in manifest.units}
    times = sorted(part.stat().st_mtime for part in run.parts() if part.is_file())[-RECENT:]
    span = times[-1] - times[0] if len(times) > 1 else 0.0
    files = [file for file in run.path.rglob("*") if file.is_file()]
    return RunStatus(
        path=run.path,
        name=manifest.name,
        created=manifest.created,
        networks=len(manifest.models),
        methods=len(manifest.methods),
        metrics=len(manifest.metrics),
        images=len(manifest.images),
        done=len(run.done() & units),
        total=len(units),
        failed=len(run.failures()),
        refused=len({failure.what for failure in run.refused()}),
        set_aside=len(list((run.path / "set_aside").glob("*"))),
        size=sum(file.stat().st_size for file in files),
        quiet=max(time.time() - times[-1], 0.0) if times else float("nan"),
        rate=(len(times) - 1) / span if span > 0 else float("nan"),
    )


def runs_in(folder: Path) -> list[Run]:
    """The runs in a folder and in its subfolders, one in another included, in the order of their paths."""
    return [Run(path.parent) for path in sorted(folder.rglob("run.json"))]
