"""The command `heatproof explain IMAGES`, which draws maps of your own images and prints their numbers, without a verdict."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.cli.arguments import parse_settings
from heatproof.cli.console import err, out, problem, table
from heatproof.core.formatting import count, significant

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from heatproof.methods import Attribution, Method
    from heatproof.models import Model

DEFAULT_METHODS = ("gradient", "integrated_gradients", "smooth_grad", "edge_map")


def explain(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES", help="The image files to explain.", show_default=False)],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="The network and its settings; `heatproof models` lists the choices. "
            "Your own by its import path: my_package.nets:build,key=value.",
        ),
    ] = "efficientnet_lite0",
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            "-x",
            metavar="METHOD",
            help="A method and its settings, such as smooth_grad,samples=20. May be given several times.",
        ),
    ] = None,
    target: Annotated[
        int | None,
        typer.Option(min=0, metavar="CLASS", help="The number of the class to explain. If it is not given, the network's top-1."),
    ] = None,
    output: Annotated[
        str, typer.Option(metavar="NAME", help="The output to explain: logit, probability, log_probability, margin and others.")
    ] = "logit",
    seed: Annotated[int, typer.Option(metavar="N", help="The seed of all random draws. The same seed gives the same maps.")] = 0,
    folder: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="The folder in which the pictures are written, as STEM.maps.png.")
    ] = Path("maps"),
    leak: Annotated[
        bool,
        typer.Option(
            "--leak",
            help="Also print at which operations relevance is lost, for methods that redistribute relevance layer by layer.",
        ),
    ] = False,
) -> None:
    """Draw attribution maps of your own images.

    To find out which map to believe, use `heatproof demo` or `heatproof evaluate`.
    """
    from heatproof.core.errors import ImageRefused
    from heatproof.evaluation.experiment import method_label
    from heatproof.methods import Method
    from heatproof.models import Output
    from heatproof.models.loaders import resolve
    from heatproof.passes.memory import keep_freed_memory

    pictures = _pictures(images, folder)
    keep_freed_memory()
    settings = [parse_settings(text) for text in method or DEFAULT_METHODS]
    methods = {method_label(one, given): one for given in settings for one in [Method.from_dict(given)]}
    explained = Output.from_dict(parse_settings(output))
    with err.status(f"loading {model}"):
        fields = parse_settings(model)
        network = resolve(fields.pop("name"), fields).load().with_(output=explained)
    refused = 0
    for path, picture in pictures.items():
        try:
            _explain_one(network, path, methods, target, seed, picture, leak)
        except ImageRefused as refusal:
            refused += 1
            problem(str(refusal))
    if refused:
        err.print(f"{count(refused, 'image')} of {len(images)} refused")
        raise typer.Exit(1)


def _pictures(images: "Sequence[Path]", folder: Path) -> dict[Path, Path]:
    """Return the file to write for each image, and raise `UsageError` if it is one of the images or belongs to another image."""
    from heatproof.core.errors import UsageError
    from heatproof.store.atomic import check_folder

    check_folder(folder)
    inputs = {path.resolve() for path in images}
    pictures: dict[Path, Path] = {}
    for path in dict.fromkeys(images):
        picture = folder / f"{path.stem}.maps.png"
        if picture.resolve() in inputs:
            raise UsageError(
                f"{path}: expected an output that is none of the images, got {picture}; choose another folder with --out"
            )
        same = next((other for other, known in pictures.items() if known == picture), None)
        if same is not None:
            raise UsageError(
                f"{path}: expected images with different names, got {same} too, which would also be written as {picture}; "
                "explain them in two calls with different folders"
            )
        pictures[path] = picture
    return pictures


def _explain_one(
    model: "Model", path: Path, methods: "Mapping[str, Method]", target: int | None, seed: int, picture: Path, leak: bool
) -> None:
    """Explain one image by every method, write the picture and print the table of its maps."""
    from heatproof.core.errors import ModelError
    from heatproof.data import open_image
    from heatproof.passes.forward import raw_outputs
    from heatproof.passes.inputs import resolve_target
    from heatproof.passes.network_checks import known_model

    preprocessing = model.preprocessing
    if preprocessing is None:
        raise ModelError(
            f"{model.name}: expected a model that defines how images are preprocessed, got one without; use another model"
        )
    photograph = open_image(path, str(path))
    tensor = preprocessing(photograph)[None].to(model.device, model.dtype)
    classes = resolve_target(model, tensor, target)
    attributions = {}
    for label, method in methods.items():
        with err.status(f"{path.name}: {label}"):
            attributions[label] = method.attribute(model, tensor, classes, seed=seed)
    outputs = raw_outputs(model, tensor)
    known = known_model(model, tensor, gradients=False)
    caption, score = _caption(known, outputs, classes), known.explained(outputs, classes).item()
    _draw(preprocessing.crop(photograph), attributions, f"{path.name}: {caption}", picture, score)
    rows = [
        (label, _number(a.error.item()), _number(a.gap.item()), f"{a.passes.forward} + {a.passes.backward}", f"{a.seconds:.2f} s")
        for label, a in attributions.items()
    ]
    title = f"{path.name}: {model.name}, {model.output_label}, {caption}"
    out.print(table(title, "method", "map error", "completeness gap", "passes", "time", rows=rows))
    for label, attribution in attributions.items():
        if attribution.notes[0]:
            err.print(f"{label}: {attribution.notes[0]}", markup=False, soft_wrap=True)
    if leak:
        for label, method in methods.items():
            _print_leaks(label, method, model, tensor, classes)
    out.print(f"[bold]picture[/]  {picture}\n", soft_wrap=True)


def _caption(model: "Model", outputs: "Tensor", classes: "Tensor") -> str:
    """Return the explained class with its probability, or the explained output with its value where there are no classes."""
    from heatproof.models.classes import class_probability

    target = int(classes[0])
    if target < 0:
        return f"{model.class_name(target)} = {significant(model.explained(outputs, classes).item(), 3)}"
    return f"{model.class_name(target)}, p = {class_probability(model, outputs, classes).item():.2f}"


def _print_leaks(label: str, method: "Method", model: "Model", tensor: "Tensor", classes: "Tensor") -> None:
    """Print the operations at which a backward method loses relevance."""
    from heatproof.methods.backward.base import BackwardMethod

    if not isinstance(method, BackwardMethod) or not method.rules(model).relevance:
        err.print(
            f"{label}: this method does not redistribute relevance layer by layer, so no relevance can be lost",
            markup=False,
            soft_wrap=True,
        )
        return
    rows = [
        (leak.operation, f"{leak.above:.3g}", f"{leak.below:.3g}", f"{leak.above - leak.below:.2g}")
        for leak in method.leaks(model, tensor, classes)
    ]
    out.print(table(f"{label}: relevance", "operation", "received", "passed on", "lost", rows=rows))


def _draw(image: "Image.Image", attributions: "Mapping[str, Attribution]", title: str, path: Path, score: float) -> None:
    """Write the picture of an image and its maps."""
    import numpy as np

    from heatproof.report.figures.explanation import draw_explanation

    maps = {label: attribution.values[0].cpu().double().numpy() for label, attribution in attributions.items()}
    draw_explanation(np.asarray(image), maps, title, path, score)


def _number(error: float) -> str:
    """Return the number with two digits, or a dash if it is NaN."""
    return "—" if math.isnan(error) else f"{error:.2f}"
