"""The command `heatproof reproduce NAME`, which repeats a published experiment on your images and tests its claims there."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heatproof import reproductions
from heatproof.cli.console import out, paragraph, table
from heatproof.cli.evaluate import EXECUTORS, Address, Gpus, Runs, Timeout, Workers
from heatproof.cli.run_command import ExecutorName, run_and_report
from heatproof.cli.verdict import with_interval
from heatproof.core.formatting import count, duration

if TYPE_CHECKING:
    from heatproof.report.table_cells import TableCell
    from heatproof.reproductions.reproduction import Reproduction

_UNITS_OF_COST = "One pass is one image through the network; a backward pass counts as two forward passes."
_PARTIAL_COST = " A pass that recomputes only part of the network counts in full-forward equivalents as that part."

Tables = Annotated[
    list[int] | None,
    typer.Option("--table", "-t", metavar="N", help="Compute only the methods of this table. May be given several times."),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Explain this network instead: the name of a torchvision architecture, a loader or an import path "
        "with its settings. "
        "May be given several times.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Your images instead of the packaged ones: a folder, a folder with one subfolder per class (as ImageNet has), an .npz "
        "file with images and labels, or a data set with its settings, such as torchvision_set,dataset=CIFAR10,root=data. Networks "
        "that are trained are trained on X_train and y_train of the file, or on the folder train beside test or val.",
    ),
]
Images = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Use the first N images, whatever the budget says. If it is not given, a folder provides at most 1,000.",
    ),
]
Preset = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Which definitions to use where the publications differ; a wrong name lists them. The first if it is not given.",
    ),
]
Budget = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="How much to run. full: as published. short: about 45 minutes. smoke: about a minute. If it is not given: full for "
        "your own images, short for the packaged photographs.",
    ),
]
Executor = Annotated[
    ExecutorName | None,
    typer.Option(
        "--executor",
        metavar="NAME",
        help=f"{EXECUTORS} If it is not given: serial for a smoke run, which takes less than to start a process, or else local.",
    ),
]


def reproduce(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of {', '.join(reproductions.names())}.", show_default=False)],
    tables: Tables = None,
    models: Models = None,
    data: Data = None,
    images: Images = None,
    preset: Preset = "",
    budget: Budget = "",
    estimate: Annotated[bool, typer.Option("--estimate", help="Print what the run would cost, and do not start it.")] = False,
    out_folder: Runs = Path("runs"),
    executor: Executor = None,
    workers: Workers = None,
    timeout: Timeout = None,
    address: Address = None,
    gpus: Gpus = None,
) -> None:
    """Repeat a published experiment, and compare its tables and claims with the results on your images.

    If it is stopped, the same command continues it.
    """
    from heatproof.core.errors import UsageError
    from heatproof.evaluation import estimate as costs
    from heatproof.pipeline import executor_of

    reproduction = _reproduction(name)
    if data is None and reproduction.needs_data(preset):
        raise UsageError(f"preset {preset}: expected your images, got none; name them by --data")
    budget = budget or ("short" if data is None else "full")
    experiment = reproduction.experiment(
        preset=preset,
        budget=budget,
        tables=tables or (),
        models=[_model(text) for text in models or []],
        dataset=_dataset(data),
        images=images,
    )
    processes = not experiment.smoke or any(setting is not None for setting in (workers, timeout, address, gpus))
    chosen = executor_of(executor or ("local" if processes else "serial"), workers, timeout, address, gpus)
    cost = costs.estimate(experiment)
    for sentence in (
        reproduction.description("presets", preset or next(iter(reproduction.presets), "")),
        reproduction.description("budgets", budget),
    ):
        if sentence:
            paragraph(sentence)
    methods = len(list(experiment.method_entries()))
    work = [count(cost.images, "image"), count(len(list(experiment.model_entries())), "network"), count(methods, "method")]
    partial = round(cost.equivalents) < cost.passes
    passes = f"{cost.passes:,} forward passes" + (f" ({cost.equivalents:,.0f} full-forward equivalents)" if partial else "")
    first = f", after {count(cost.trainings, 'training')} of about {duration(cost.training_seconds)}" if cost.trainings else ""
    paragraph(f"{', '.join(work)}: at most {passes}, about {duration(cost.seconds)} on this machine{first}")
    paragraph(_UNITS_OF_COST + (_PARTIAL_COST if partial else ""), style="dim")
    if not estimate:
        run_and_report(experiment, out_folder / experiment.name, "", chosen, _print_findings)


def _reproduction(name: str) -> "Reproduction":
    """Return the reproduction of this name, or raise `UnknownNameError`."""
    from heatproof.core.errors import UnknownNameError
    from heatproof.reproductions.reproduction import Reproduction

    if name not in reproductions.names():
        raise UnknownNameError("reproduction", name, reproductions.names())
    return Reproduction.parse(reproductions.read(name))


def _model(text: str) -> dict[str, Any]:
    """Parse a network and its settings; the name of an architecture alone means the one of torchvision."""
    from heatproof.core.settings import exports
    from heatproof.core.settings_text import parse_settings
    from heatproof.models.loaders import Loader, resolve

    settings = parse_settings(text)
    name = settings.pop("name")
    return resolve(name if ":" in name or name in exports(Loader) else f"torchvision:{name}", settings).to_dict()


def _dataset(folder: Path | None) -> dict[str, Any] | None:
    """Return the data set that a path stands for, as settings: arrays, a folder with one subfolder per class, or a flat folder."""
    if folder is None:
        return None
    from heatproof.reproductions.reproduction import TEST_FOLDERS

    if "," in str(folder) and not folder.exists():
        from heatproof.core.settings_text import parse_settings
        from heatproof.data.base import Dataset

        return Dataset.from_dict(parse_settings(str(folder))).to_dict()
    if folder.suffix == ".npz":
        return {"name": "arrays", "path": str(folder), "part": "test"}
    if (folder / "train").is_dir():
        folder = next((folder / name for name in TEST_FOLDERS if (folder / name).is_dir()), folder)
    classes = folder.is_dir() and any(entry.is_dir() for entry in folder.iterdir())
    return {"name": "image_folder" if classes else "folder", "path": str(folder), "count": 1000}


SIDE_BY_SIDE = 3
"""The number of columns with an interval that fit beside each other in 80 characters."""


def _area(cell: "TableCell") -> str:
    """An area with its interval, and in the next line whether the mark is detected; of the accuracy, what the mark does."""
    if not cell.sub.startswith("["):
        return f"{cell.text}\n{cell.sub}"
    spread, *further = cell.sub.split("\n")
    return "\n".join([f"{cell.text} {spread}", *(line for line in further if line.startswith("detected"))])


def _print_columns(title: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Print a table, a few columns at a time."""
    for first in range(0, len(heads), SIDE_BY_SIDE):
        some = slice(first, first + SIDE_BY_SIDE)
        out.print()
        out.print(table(title, "method", *heads[some], rows=[(label, *cells[some]) for label, cells in rows]))


def _in_lines(cell: "TableCell") -> str:
    """An accuracy or a difference, its interval and its p value, one below the other."""
    return "\n".join([cell.text, *cell.sub.replace(", p", "\np").splitlines()])


def _print_findings(folder: Path) -> None:
    """Print the published tables beside the scores of this run, and what the run says about each claim."""
    from heatproof.report.claims import judge_claims, published_comparisons
    from heatproof.report.detections import detection_table, measured_detections
    from heatproof.report.retrainings import read_retrainings, retraining_tables
    from heatproof.report.score_matrix import read_scores
    from heatproof.report.table_cells import published_table
    from heatproof.store import Run

    store = Run(folder)
    manifest = store.manifest()
    all_scores = read_scores(store, manifest)
    detections = measured_detections(all_scores)
    if detections is not None:
        heads, lines = detection_table(detections)
        _print_columns("Planted marks: area under the ROC curve", heads, [(label, [*map(_area, line)]) for label, line in lines])
        paragraph(detections.finding)
    for scores in all_scores:
        for comparison in published_comparisons(scores, manifest):
            for metric in comparison.metrics:
                heads, rows = published_table(replace(comparison, metrics=(metric,)), scores.model.label)
                cells = [(label, *map(with_interval, line)) for label, line in rows]
                out.print()
                out.print(table(f"{comparison.title}: {metric} on {scores.model.label}", "method", *heads, rows=cells))
        for retrainings in read_retrainings(store, manifest, scores.model):
            for title, (heads, rows) in retraining_tables(retrainings):
                stacked = [(label, [*map(_in_lines, line)]) for label, line in rows]
                _print_columns(f"{title}, on {scores.model.label}", heads, stacked)
        judged = judge_claims(scores, manifest)
        if judged:
            verdicts = [(claim.statement, claim.metric, claim.summary) for claim in judged]
            out.print()
            out.print(table(f"Claims on {scores.model.label}", "claim", "by", "finding", rows=verdicts))
