"""`heatproof reproduce NAME`: what a paper reports, anew, on your images, with intervals; and whether its claims hold there."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heatproof.cli.console import out, table
from heatproof.cli.evaluate import Chosen, Runs, Timeout, Workers
from heatproof.cli.run_command import run_and_report
from heatproof.core.formatting import clock, count

if TYPE_CHECKING:
    from heatproof.reproductions.reproduction import Reproduction

RECIPES = ("smoothtaylor", "gradients", "kendall", "sanity", "fragility")


Tables = Annotated[list[int] | None, typer.Option("--table", "-t", help="Only this table; may be given again.")]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help="This network instead: a loader's settings or one of torchvision; may be given again."),
]
Data = Annotated[
    Path | None,
    typer.Option(help="A folder of images, flat or one folder a class, such as ImageNet’s; or arrays with labels in a .npz."),
]
Images = Annotated[
    int | None,
    typer.Option(min=1, help="The first so many images, whatever the budget; 1,000 of a folder, or fewer, unless given."),
]
Preset = Annotated[str, typer.Option(help="Which definitions, where the published ones differ; the first unless given.")]
Budget = Annotated[
    str,
    typer.Option(help="full: as published; short: 45 minutes; smoke: a minute. Else full for a folder, short for photographs."),
]


def reproduce(
    name: Annotated[str, typer.Argument(help=f"What to reproduce: {', '.join(RECIPES)}.", show_default=False)],
    tables: Tables = None,
    models: Models = None,
    data: Data = None,
    images: Images = None,
    preset: Preset = "",
    budget: Budget = "",
    estimate: Annotated[bool, typer.Option("--estimate", help="Say what it would cost, and stop.")] = False,
    out_folder: Runs = Path("runs"),
    executor: Chosen = "local",
    workers: Workers = None,
    timeout: Timeout = None,
) -> None:
    """Published tables and claims, next to what your images say. Started again, it goes on where it stopped."""
    from heatproof.evaluation import estimate as costs

    recipe = _recipe(name)
    budget = budget or ("short" if data is None else "full")
    experiment = recipe.experiment(
        preset=preset,
        budget=budget,
        tables=tables or (),
        models=[_model(text) for text in models or []],
        dataset=_dataset(data),
        images=images,
    )
    cost = costs.estimate(experiment)
    for sentence in (
        recipe.description("presets", preset or next(iter(recipe.presets), "")),
        recipe.description("budgets", budget),
    ):
        if sentence:
            out.print(sentence, markup=False, soft_wrap=True)
    methods = len(list(experiment.method_entries()))
    work = [count(cost.images, "image"), count(len(experiment.models), "network"), count(methods, "method")]
    passes = f"{cost.passes:,} forward passes"
    if round(cost.equivalents) < cost.passes:
        passes += f" (the work of {cost.equivalents:,.0f} full passes)"
    out.print(f"{', '.join(work)}: at most {passes}, about {clock(cost.seconds)} on this machine", soft_wrap=True)
    if estimate:
        return
    folder = out_folder / experiment.name
    run_and_report(experiment, folder, "", executor, workers, timeout)
    _print_findings(folder)


def _recipe(name: str) -> "Reproduction":
    from heatproof.core.errors import UnknownNameError
    from heatproof.reproductions.reproduction import Reproduction

    if name not in RECIPES:
        raise UnknownNameError("recipe", name, list(RECIPES))
    return Reproduction.parse((files("heatproof.reproductions") / f"{name}.toml").read_text(encoding="utf-8"))


def _model(text: str) -> dict[str, Any]:
    """A loader's settings; the bare name of an architecture is torchvision's."""
    from heatproof.cli.arguments import parse_settings
    from heatproof.core.settings import exports
    from heatproof.models.loaders.base import Loader

    settings = parse_settings(text)
    return settings if settings["name"] in exports(Loader) else settings | {"name": "torchvision", "architecture": settings["name"]}


def _dataset(folder: Path | None) -> dict[str, Any] | None:
    if folder is None:
        return None
    if folder.suffix == ".npz":
        return {"name": "arrays", "path": str(folder), "part": "test"}
    classes = folder.is_dir() and any(entry.is_dir() for entry in folder.iterdir())
    return {"name": "image_folder" if classes else "folder", "path": str(folder), "count": 1000}


def _print_findings(folder: Path) -> None:
    from heatproof.report.claims import judge_claims, published_comparisons
    from heatproof.report.score_matrix import read_scores
    from heatproof.report.table_cells import published_table
    from heatproof.store import Run

    store = Run(folder)
    manifest = store.manifest()
    for scores in read_scores(store, manifest):
        for found in published_comparisons(scores, manifest):
            for metric in found.metrics:
                heads, rows = published_table(replace(found, metrics=(metric,)), scores.model.label)
                cells = [(label, *(" ".join(filter(None, (cell.text, cell.sub))) for cell in line)) for label, line in rows]
                out.print(table(f"{found.title}: {metric} on {scores.model.label}", "method", *heads, rows=cells))
                out.print()
        judged = judge_claims(scores, manifest)
        if judged:
            verdicts = [(claim.statement, claim.metric, claim.summary) for claim in judged]
            out.print(table(f"Claims on {scores.model.label}", "claim", "by", "finding", rows=verdicts))
            out.print()
