"""`heatproof explain IMAGE…`: maps of your own images, as pictures and numbers, and no verdict."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.cli.arguments import parse_settings
from heatproof.cli.console import clock, count, err, out, problem, table

if TYPE_CHECKING:
    from PIL import Image

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
) -> None:
    """Draw attribution maps of your own images. To learn what they are worth, run `heatproof demo` or `heatproof bench`."""
    from heatproof.core.errors import ImageRefused
    from heatproof.methods import Method
    from heatproof.models import Output
    from heatproof.models.loaders import load_model

    chosen = [Method.from_dict(parse_settings(text)) for text in method or DEFAULT_METHODS]
    explained = Output.from_dict(parse_settings(output))
    with err.status(f"loading {model}"):
        network = load_model(model).with_(output=explained)
    refused = 0
    for path in images:
        try:
            _explain_one(network, path, chosen, target, seed, folder)
        except ImageRefused as refusal:
            refused += 1
            problem(str(refusal))
    if refused:
        err.print(f"{count(refused, 'image')} of {len(images)} refused")
        raise typer.Exit(1)


def _explain_one(model: "Model", path: Path, methods: "Sequence[Method]", target: int | None, seed: int, folder: Path) -> None:
    from heatproof.core.errors import ModelError
    from heatproof.data import open_image
    from heatproof.passes.forward import raw_outputs
    from heatproof.passes.inputs import resolve_target

    if model.preprocessing is None:
        raise ModelError(f"{model.name}: expected a model that says how to preprocess images; this one does not")
    photograph = open_image(path, str(path))
    tensor = model.preprocessing(photograph)[None].to(model.device, model.dtype)
    classes = resolve_target(model, tensor, target)
    found = []
    for method in methods:
        with err.status(f"{path.name}: {method.name}"):
            found.append((method, method.attribute(model, tensor, classes, seed=seed)))
    outputs = raw_outputs(model, tensor)
    probability = outputs.softmax(1)[0, classes[0]].item()
    caption = (
        f"{model.class_name(int(classes[0]))}, p = {probability:.2f}" if outputs.shape[1] > 1 else f"output {outputs[0, 0]:.3g}"
    )
    picture = _draw(model.preprocessing.crop(photograph), found, f"{path.name}: {caption}", folder / f"{path.stem}.png")
    rows = [(str(m), _number(a.error), f"{a.passes.forward} + {a.passes.backward}", clock_of(a), a.notes[0]) for m, a in found]
    title = f"{path.name}: {model.name}, {model.output_label}, {caption}"
    out.print(table(title, "method", "relative error", "forward + backward", "time", "", rows=rows))
    out.print(f"[bold]picture[/]  {picture}\n", soft_wrap=True)


def _draw(image: "Image.Image", found: "Sequence[tuple[Method, Attribution]]", title: str, path: Path) -> Path:
    import numpy as np

    from heatproof.report.figures.explanation import draw_explanation

    maps = {str(method): attribution.values[0].cpu().double().numpy() for method, attribution in found}
    return draw_explanation(np.asarray(image), maps, title, path)


def _number(error: "object") -> str:
    value = float(error[0])  # type: ignore[index]
    return "—" if math.isnan(value) else f"{value:.2f}"


def clock_of(attribution: "Attribution") -> str:
    """Seconds of a map, in words."""
    return f"{attribution.seconds:.2f} s" if attribution.seconds < 10 else clock(attribution.seconds)
