"""The command `heatproof explain IMAGES`, which draws maps of your own images and prints their numbers, without a verdict."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from heatproof.cli.console import err, named, out, problem, table
from heatproof.cli.recommended import recommended_methods
from heatproof.cli.stopping import exit_code
from heatproof.core.formatting import comma_list, count, numbered, percent, significant
from heatproof.core.settings_text import parse_settings

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from heatproof.methods import Attribution, Method
    from heatproof.models import Model

CONTROL = "edge_map"
DEFAULT_METHODS = ("grad_cam", "lrp", "integrated_gradients", CONTROL)
LARGE_GAP, LARGE_ERROR = 0.1, 0.3
"""The completeness gap and the map error from which on a line says what they mean."""
_LISTED = 8


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
            help="A method and its settings, such as smooth_grad,samples=20. May be given several times. "
            "If none is given, those that a verdict recommends and, as a control, the edges of the image. EfficientNet-Lite0 has "
            "one in the package; without one: Grad-CAM, LRP, integrated gradients and the edges.",
            show_default=False,
        ),
    ] = None,
    verdict: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The verdict of `heatproof advise`, verdict.json in its folder, whose recommended and next best methods explain.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="The class to explain: its number, its name, or a part of the name that no other has. "
            "If it is not given, the network's top-1.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The output to explain: logit, probability, log_probability, margin, regression and others. "
            "If it is not given, the network's own, the logit of a classifier.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The seed of all random draws. The same seed gives the same maps.")] = 0,
    folder: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="The folder in which the pictures are written, as STEM.maps.png.")
    ] = Path("maps"),
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace pictures of these names. Otherwise they are kept, and the new ones are numbered."
        ),
    ] = False,
    no_overlay: Annotated[
        bool, typer.Option("--no-overlay", help="Show each map by itself alone, and not over the photograph as well.")
    ] = False,
    leak: Annotated[
        bool,
        typer.Option(
            "--leak",
            help="Also print at which operations relevance is lost, for methods that redistribute relevance layer by layer.",
        ),
    ] = False,
) -> None:
    """Draw attribution maps of your own images.

    To find out which map to believe, use `heatproof advise`.
    """
    from heatproof.core.errors import UsageError
    from heatproof.passes.memory import keep_freed_memory

    if verdict is not None and method:
        raise UsageError("--verdict: expected no --method beside it, since a verdict names the methods, got both; leave one out")
    pictures = _pictures(images, folder, overwrite)
    keep_freed_memory()
    written: list[Path] = []
    try:
        request = _ExplainRequest(model, output, method, target, seed, not no_overlay, leak, verdict)
        bad = _explain_all(request, pictures, overwrite, written)
    except KeyboardInterrupt:
        names = f": {comma_list([str(path) for path in written])}" if written else ""
        err.print(f"stopped; {count(len(written), 'picture')} of {len(pictures)} written{names}", markup=False, soft_wrap=True)
        raise typer.Exit(exit_code()) from None
    if bad:
        err.print(f"{count(bad, 'image')} of {len(pictures)} refused")
        raise typer.Exit(1)


@dataclass(frozen=True)
class _ExplainRequest:
    """What the command was asked for, apart from the images and files."""

    model: str
    output: str | None
    method: list[str] | None
    target: str | None
    seed: int
    overlay: bool
    leak: bool
    verdict: Path | None = None


@dataclass(frozen=True)
class _LoadedMethods:
    """The network and the methods that explain each image."""

    model: "Model"
    methods: "Mapping[str, Method]"
    target: int | None
    request: _ExplainRequest
    failed: dict[str, str] = field(default_factory=dict)
    """The methods that fail on this network, by label, with the reason."""
    explained: set[str] = field(default_factory=set)
    """The labels of methods whose numbers were explained."""


def _explain_all(request: _ExplainRequest, pictures: Mapping[Path, Path], overwrite: bool, written: list[Path]) -> int:
    """Explain each image and note its picture in `written`; return the number of images that were refused."""
    from heatproof.core.errors import ImageRefused
    from heatproof.evaluation.experiment import method_label
    from heatproof.methods import Method
    from heatproof.models import Output
    from heatproof.models.loaders import resolve

    explained = None if request.output is None else Output.from_dict(parse_settings(request.output))
    with err.status(Text(f"loading {request.model}")):
        fields = parse_settings(request.model)
        network = resolve(fields.pop("name"), fields).load()
        network = network if explained is None else network.with_(output=explained)
    advised = {} if request.method else recommended_methods(network, request.verdict)
    settings = [parse_settings(text) for text in request.method or ((CONTROL,) if advised else DEFAULT_METHODS)]
    methods = {label: Method.from_dict(dict(given)) for label, given in advised.items()}
    methods |= {method_label(one, given): one for given in settings for one in [Method.from_dict(given)]}
    loaded = _LoadedMethods(network, methods, None if request.target is None else find_class(network, request.target), request)
    refused = 0
    for path, wanted in pictures.items():
        picture = wanted if overwrite else _free(wanted)
        try:
            _explain_one(loaded, path, picture)
        except ImageRefused as refusal:
            refused += 1
            problem(str(refusal))
            continue
        written.append(picture)
        kept = f"  ({wanted} is kept; --overwrite replaces it)" if picture != wanted else ""
        named(out, "picture", f"{picture}{kept}\n")
    return refused


def _pictures(images: Sequence[Path], folder: Path, overwrite: bool) -> dict[Path, Path]:
    """Return the file to write for each image: named by its stem, after its folder where several images share the stem, and
    numbered where that does not tell them apart.

    Raises:
        UsageError: The folder cannot be written, or a file to replace is one of the images.
    """
    from heatproof.core.errors import UsageError
    from heatproof.store.atomic import check_folder

    try:
        check_folder(folder)
    except OSError as error:
        raise UsageError(f"{folder}: expected a folder that can be made, got {error.strerror}; choose another with --out") from None
    inputs = {path.resolve() for path in images}
    distinct = list(dict.fromkeys(images))
    shared = Counter(path.stem for path in distinct)
    pictures: dict[Path, Path] = {}
    for path in distinct:
        stem = path.stem if shared[path.stem] == 1 else "-".join(filter(None, (path.resolve().parent.name, path.stem)))
        picture = _free(folder / f"{stem}.maps.png", set(pictures.values()))
        if overwrite and picture.resolve() in inputs:
            raise UsageError(
                f"{path}: expected an output that is none of the images, got {picture}; choose another folder with --out"
            )
        pictures[path] = picture
    return pictures


def _free(picture: Path, taken: "set[Path] | None" = None) -> Path:
    """The path, with the first number that makes it new: to the disk, or to the paths that are taken."""
    stem, number, free = picture.name.removesuffix(".maps.png"), 2, picture
    while free in taken if taken is not None else free.exists() or free.is_symlink():
        free = picture.with_name(f"{stem}-{number}.maps.png")
        number += 1
    return free


def find_class(model: "Model", text: str) -> int:
    """The number of the class that a text names: a number, a whole name, or a part of one name only.

    Raises:
        UsageError: Several classes have that name or part; the message lists them.
        UnknownNameError: No class has it.
    """
    from heatproof.core.errors import UnknownNameError, UsageError

    if text.isdecimal():
        return int(text)
    names = model.class_names
    if not names:
        raise UsageError(f"--target: expected the number of a class, since {model.name} names none, got {text!r}; give the number")
    wanted = text.casefold()
    found = [i for i, name in enumerate(names) if name.casefold() == wanted]
    found = found or [i for i, name in enumerate(names) if wanted in name.casefold()]
    if not found:
        raise UnknownNameError("class", text, list(names))
    if len(found) > 1:
        listed = comma_list([f"{names[i]} ({i})" for i in found], _LISTED)
        raise UsageError(f"--target: expected one class, got {text!r}, which fits {listed}; give the number")
    return found[0]


def _explain_one(loaded: _LoadedMethods, path: Path, picture: Path) -> None:
    """Explain one image by every method, write the picture and print the table of its maps.

    Raises:
        ImageRefused: The image cannot be opened.
        HeatproofError: No method explains the network.
    """
    from heatproof.core.errors import HeatproofError, ModelError
    from heatproof.data import open_image
    from heatproof.passes.forward import raw_outputs
    from heatproof.passes.inputs import resolve_target
    from heatproof.passes.network_checks import known_model

    model, request = loaded.model, loaded.request
    preprocessing = model.preprocessing
    if preprocessing is None:
        raise ModelError(
            f"{model.name}: expected a model that defines how images are preprocessed, got one without; use another model"
        )
    photograph = open_image(path, str(path))
    tensor = preprocessing(photograph)[None].to(model.device, model.dtype)
    classes = resolve_target(model, tensor, loaded.target)
    attributions: dict[str, Attribution] = {}
    for label, method in loaded.methods.items():
        if label in loaded.failed:
            continue
        try:
            with err.status(Text(f"{path.name}: {label}")):
                attributions[label] = method.attribute(model, tensor, classes, seed=request.seed)
        except HeatproofError as error:
            if request.method or len(loaded.failed) == len(loaded.methods) - 1:
                raise
            loaded.failed[label] = str(error)
            err.print(f"{label} is left out: {error}", markup=False, soft_wrap=True)
    outputs = raw_outputs(model, tensor)
    known = known_model(model, tensor, gradients=False)
    caption, score = _caption(known, outputs, classes), known.explained(outputs, classes).item()
    _draw(loaded, preprocessing.crop(photograph), attributions, f"{path.name}: {caption}", picture, score)
    out.print(f"{path.name}: {caption}", style="bold", markup=False)
    out.print(f"{model.name}, {model.output_label}", style="dim", markup=False)
    rows = [
        (label, _number(a.error.item()), _number(a.gap.item()), f"{a.passes.forward} + {a.passes.backward}", f"{a.seconds:.1f} s")
        for label, a in attributions.items()
    ]
    out.print(table("", "method", "map error", "gap", "passes", "time", rows=rows))
    for label, attribution in attributions.items():
        meaning = [] if label in loaded.explained else _meaning(loaded.methods[label], attribution)
        loaded.explained.update([label] if meaning else [])
        for line in filter(None, (*meaning, attribution.notes[0])):
            err.print(f"{label}: {line}", markup=False, soft_wrap=not err.is_terminal)
    if request.leak:
        for label in attributions:
            _print_leaks(label, loaded.methods[label], model, tensor, classes)


def _caption(model: "Model", outputs: "Tensor", classes: "Tensor") -> str:
    """Return the explained class with its number and probability, or the explained output with its value where there are no
    classes.
    """
    from heatproof.models.classes import class_probability

    target = int(classes[0])
    name = model.class_name(target)
    if target < 0:
        return f"{name} = {significant(model.explained(outputs, classes).item(), 3)}"
    return f"{numbered(name, target)}, p\u00a0=\u00a0{class_probability(model, outputs, classes).item():.2f}"


def _meaning(method: "Method", attribution: "Attribution") -> list[str]:
    """One line for each number that is large: what it means, and what to do."""
    from heatproof.methods.backward.base import BackwardMethod

    lines, gap, error = [], attribution.gap.item(), attribution.error.item()
    adaptive = ", or a tolerance, as tolerance=0.05" if "tolerance" in type(method).model_fields else ""
    if error > LARGE_ERROR:
        lines.append(
            f"a map error of {error:.2f} means that single pixels are {'mostly' if error > 0.7 else 'partly'} the noise of too few "
            f"draws or nodes; read areas, not pixels, or set more{adaptive}"
        )
    if not gap > LARGE_GAP:
        return lines
    total, expected = float(attribution.values.double().sum()), attribution.expected_sum.item()
    if isinstance(method, BackwardMethod) and 0 <= total / expected < 1:
        other = " and compare composite=z_plus_everywhere, which loses less" if "composite" in type(method).model_fields else ""
        lines.append(
            f"a gap of {gap:.2f} means that {percent(total / expected)} of the score reached the image; biases and rules of the "
            f"layers absorbed the rest, as is usual with batch normalisation. Read where the map is strong, not how strong{other}; "
            "--leak lists the losses"
        )
    else:
        lines.append(
            f"a gap of {gap:.2f} means that the map sums to {significant(total)} where the method promises "
            f"{significant(expected)}. Read where the map is strong, not how strong"
            f"{', or set more nodes' if adaptive else ''}{adaptive}"
        )
    return lines


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


def _draw(
    loaded: _LoadedMethods, image: "Image.Image", attributions: "Mapping[str, Attribution]", title: str, path: Path, score: float
) -> None:
    """Write the picture of an image and its maps."""
    import numpy as np

    from heatproof.pictures.draw import draw
    from heatproof.pictures.sheet import Panel, Sheet

    panels = tuple(
        Panel(each.values[0].cpu().double().numpy(), label, each.control, each.notes[0], score=score)
        for label, each in attributions.items()
    )
    model = loaded.model
    sheet = Sheet(title, f"{model.name} · {model.output_label}", panels, np.asarray(image), overlay=loaded.request.overlay)
    draw(sheet).save(path)


def _number(error: float) -> str:
    """Return the number with two digits, or a dash if it is NaN."""
    return "—" if math.isnan(error) else f"{error:.2f}"
