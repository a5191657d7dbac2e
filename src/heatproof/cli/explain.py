"""`heatproof explain IMAGE…`: maps of your own images, as pictures and numbers, and no verdict."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.cli.arguments import parse_settings
from heatproof.cli.console import err, out, problem, table
from heatproof.core.formatting import count

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from heatproof.methods import Attribution, Method
    from heatproof.models import Model

DEFAULT_METHODS = ("gradient", "integrated_gradients", "smooth_grad", "edge_map")


def explain(
    images: Annotated[list[Path], typer.Argument(help="Image files.", show_default=False)],
    model: Annotated[str, typer.Option("--model", "-m", help="See `heatproof models`.")] = "efficientnet_lite0",
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method", "-x", help="A method and its settings, such as smooth_grad,samples=20; may be given several times."
        ),
    ] = None,
    target: Annotated[int | None, typer.Option(min=0, help="Class to explain; the model's own top-1 unless given.")] = None,
    output: Annotated[str, typer.Option(help="Scalar to explain: logit, probability, log_probability, margin, …")] = "logit",
    seed: Annotated[int, typer.Option(help="All randomness comes from this, the image and the draw number.")] = 0,
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder that the pictures go to.")] = Path("maps"),
    leak: Annotated[
        bool,
        typer.Option("--leak", help="Also tell where relevance is lost, operation by operation, of methods that share it out."),
    ] = False,
) -> None:
    """Draw attribution maps of your own images. To learn what they are worth, run `heatproof demo` or `heatproof evaluate`."""
    from heatproof.core.errors import ImageRefused
    from heatproof.evaluation.experiment import method_label
    from heatproof.methods import Method
    from heatproof.models import Output
    from heatproof.models.loaders import load_model
    from heatproof.passes.memory import keep_freed_memory

    keep_freed_memory()
    asked = [parse_settings(text) for text in method or DEFAULT_METHODS]
    methods = [Method.from_dict(settings) for settings in asked]
    chosen = {method_label(one, settings): one for one, settings in zip(methods, asked, strict=True)}
    explained = Output.from_dict(parse_settings(output))
    with err.status(f"loading {model}"):
        network = load_model(model).with_(output=explained)
    refused = 0
    for path in images:
        try:
            _explain_one(network, path, chosen, target, seed, folder, leak)
        except ImageRefused as refusal:
            refused += 1
            problem(str(refusal))
    if refused:
        err.print(f"{count(refused, 'image')} of {len(images)} refused")
        raise typer.Exit(1)


def _explain_one(
    model: "Model", path: Path, methods: "Mapping[str, Method]", target: int | None, seed: int, folder: Path, leak: bool
) -> None:
    from heatproof.core.errors import ModelError
    from heatproof.data import open_image
    from heatproof.passes.forward import raw_outputs
    from heatproof.passes.inputs import resolve_target

    if model.preprocessing is None:
        raise ModelError(f"{model.name}: expected a model that says how to preprocess images; this one does not")
    photograph = open_image(path, str(path))
    tensor = model.preprocessing(photograph)[None].to(model.device, model.dtype)
    classes = resolve_target(model, tensor, target)
    found = {}
    for label, method in methods.items():
        with err.status(f"{path.name}: {label}"):
            found[label] = method.attribute(model, tensor, classes, seed=seed)
    outputs = raw_outputs(model, tensor)
    probability = outputs.softmax(1)[0, classes[0]].item()
    caption = (
        f"{model.class_name(int(classes[0]))}, p = {probability:.2f}" if outputs.shape[1] > 1 else f"output {outputs[0, 0]:.3g}"
    )
    picture = _draw(model.preprocessing.crop(photograph), found, f"{path.name}: {caption}", folder / f"{path.stem}.png")
    rows = [
        (label, _number(a.error.item()), _number(a.gap.item()), f"{a.passes.forward} + {a.passes.backward}", f"{a.seconds:.2f} s")
        for label, a in found.items()
    ]
    title = f"{path.name}: {model.name}, {model.output_label}, {caption}"
    out.print(table(title, "method", "map error", "gap", "passes", "time", rows=rows))
    for label, attribution in found.items():
        if attribution.notes[0]:
            err.print(f"{label}: {attribution.notes[0]}", markup=False, soft_wrap=True)
    if leak:
        for label, method in methods.items():
            _tell_leaks(label, method, model, tensor, classes)
    out.print(f"[bold]picture[/]  {picture}\n", soft_wrap=True)


def _tell_leaks(label: str, method: "Method", model: "Model", tensor: "Tensor", classes: "Tensor") -> None:
    from heatproof.methods.backward.base import BackwardMethod

    if not isinstance(method, BackwardMethod) or not method.rules(model).relevance:
        err.print(f"{label}: shares no relevance out, so none is lost", markup=False, soft_wrap=True)
        return
    rows = [
        (leak.operation, f"{leak.above:.3g}", f"{leak.below:.3g}", f"{leak.above - leak.below:.2g}")
        for leak in method.leaks(model, tensor, classes)
    ]
    out.print(table(f"{label}: relevance", "operation", "above", "below", "lost", rows=rows))


def _draw(image: "Image.Image", found: "Mapping[str, Attribution]", title: str, path: Path) -> Path:
    import numpy as np

    from heatproof.report.figures.explanation import draw_explanation

    maps = {label: attribution.values[0].cpu().double().numpy() for label, attribution in found.items()}
    return draw_explanation(np.asarray(image), maps, title, path)


def _number(error: float) -> str:
    return "—" if math.isnan(error) else f"{error:.2f}"
