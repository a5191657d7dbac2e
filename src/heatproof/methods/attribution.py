"""The result of a method: raw signed maps, what is known about them, and how they are drawn and exported."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.drawing import Drawing
from heatproof.core.errors import TensorError, UsageError
from heatproof.core.formatting import numbered
from heatproof.core.records import Reduction
from heatproof.numerics.bounds import Bounds
from heatproof.numerics.reduce import reduce
from heatproof.numerics.wide import wide, wide_type
from heatproof.passes.counting import PassCount
from heatproof.pictures.batch_result import BatchResult
from heatproof.pictures.colors import Floats, Pixels, diverging, full_color, overlay, shares_of
from heatproof.pictures.draw import draw
from heatproof.pictures.export import first_of
from heatproof.pictures.photographs import photographs
from heatproof.pictures.sheet import Array, Panel, Sheet

if TYPE_CHECKING:
    import pyarrow as pa

    from heatproof.pictures.picture import Picture

MOST_PANELS = 12
"""The largest number of images that a picture shows; it states how many are left out."""


@dataclass(frozen=True, eq=False)
class Attribution(BatchResult):
    """The maps of one batch of images, and how they were computed.

    values        `[b, c, …]` raw and signed, in the shape and type of the input. They are never clipped, rescaled or made absolute.
    target        `[b]` the class that was explained for each image; −1 if the explained output depends on no class.
    output        the name of the explained output, such as logit or probability.
    expected_sum  `[b]` what the map of each image should sum to by the method's own axiom; NaN where the method states none. Of
                  maps in half precision, this and the other numbers about a map are in float32.
    error         `[b]` the estimated relative error of the map: how far it is from the map that more nodes or samples would give.
                  It is ‖SE‖ / ‖A‖ for a sampled map, an upper estimate for a path to a tolerance, and NaN where there is none. It
                  is not the `gap`: a map with a small gap may have a large error, since deviations cancel in the sum.
    probes        `[b]` the number of path nodes, draws or noisy copies behind the map of each image. It is below the number in the
                  settings where a tolerance was reached earlier, and 0 for a map that uses none.
    passes        forward and backward passes of the whole batch; one pass is one image through the network.
    seconds       wall-clock time of the call.
    method        canonical JSON of the settings of the method.
    plan          how the copy of the network that computed the passes differs from it; `plain` where it does not differ.
    seed          the seed of all random numbers.
    notes         one text per image: "", or why the map is zero, not finite, or less accurate than requested.
    model         the name of the network.
    class_names   the name of each image's target, or of the explained output where it belongs to no class.
    label         the method in words, with the settings that differ from the defaults.
    control       whether the method is a control: a map that explains nothing.
    bounds        the legal values of an image, by which it becomes pixels.
    details       further numbers by name, if the method has any: `[b]`, or `[b, n]` with NaN after the last number of an image.

    It has a length and is indexed by image: `attribution[0]` and `attribution[2:4]` are Attributions, of whose batch `passes` and
    `seconds` still speak.

    >>> import torch
    >>> from heatproof.methods import IntegratedGradients
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = IntegratedGradients().attribute(model, images, target=3)
    >>> attribution.map("l2").shape
    torch.Size([2, 1, 28, 28])
    >>> bool((attribution.gap < 0.05).all())
    True
    >>> attribution.overlay(images).shape, attribution[1].target
    ((2, 28, 28, 3), tensor([3]))
    >>> attribution
    Attribution(2 × [1, 28, 28], Integrated gradients, model=toy:cnn (random weights), output=logit, target=[3, 3], gap=[...
    """

    PER_IMAGE = ("values", "target", "expected_sum", "error", "probes", "notes", "details", "class_names")

    values: Float[Tensor, "b c *space"]
    target: Int[Tensor, " b"]
    output: str
    expected_sum: Float[Tensor, " b"]
    error: Float[Tensor, " b"]
    probes: Int[Tensor, " b"]
    passes: PassCount
    seconds: float
    method: str
    plan: str
    seed: int
    notes: tuple[str, ...]
    model: str
    class_names: tuple[str, ...]
    label: str
    control: bool
    bounds: Bounds
    details: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def gap(self) -> Float[Tensor, " b"]:
        """The relative completeness gap |Σ A − expected sum| / |expected sum| of each image, `[b]`.

        It is NaN where the method states no expected sum, and where the expected sum is zero.
        """
        return relative_gap(self.values, self.expected_sum)

    def map(self, reduction: Reduction | str = Reduction.SUM) -> Float[Tensor, "b 1 *space"]:
        """The maps with one channel, `[b, 1, …]`, reduced over the channels of the input: by default their signed sum.

        Raises:
            UnknownNameError: There is no reduction of that name; the message lists them.
        """
        return reduce(self.values, Reduction(reduction))

    def numpy(self) -> Array:
        """The raw values `[b, c, …]` as an array, in float32 if numpy has no such type."""
        values = self.values.detach().cpu()
        return np.asarray(wide(values) if values.dtype == torch.bfloat16 else values)

    def heatmap(self, reduction: Reduction | str = Reduction.SUM) -> Pixels:
        """The maps in colours, uint8 `[b, h, w, 3]`: red is positive, blue negative and white zero.

        Full colour is the 99.5th percentile of the absolute values of each map.

        Raises:
            TensorError: The maps are no images; `show` draws tables, signals and volumes too.
        """
        return np.stack([diverging(shares) for shares in self._shares(reduction)])

    def overlay(self, images: Any, reduction: Reduction | str = Reduction.SUM) -> Pixels:
        """The maps over their photographs in grey, uint8 `[b, h, w, 3]`; the size of a value is its opacity.

        Args:
            images: The images that were explained, `[b, c, h, w]`, or photographs of the size of the maps: PIL images or arrays
                uint8 `[h, w, 3]`, one or a list, such as `model.preprocessing.crop(photograph)`.
            reduction: How channels become one number per pixel.

        Raises:
            TensorError: There are not as many images as maps, or they differ in size.
        """
        shares = self._shares(reduction)
        return np.stack([overlay(*pair) for pair in zip(self._pixels(images), shares, strict=True)])

    def _shares(self, reduction: Reduction | str) -> list[Floats]:
        if self.values.ndim != 4:
            raise TensorError(
                f"heatmap: expected maps [b, c, h, w], got {list(self.values.shape)}; use picture(), show() or save()"
            )
        maps = self.map(reduction).detach().cpu().double().numpy()[:, 0]
        return [shares_of(each, full_color(each)) for each in maps]

    def _pixels(self, images: Any) -> Sequence[Array]:
        """What is drawn under each map: pixels of images, uint8 `[h, w]` or `[h, w, 3]`, and of volumes `[d, h, w]`; the numbers of
        tables and signals. Images of other than three channels are drawn as the mean of these.
        """
        if not isinstance(images, Tensor):
            return photographs(images, len(self), tuple(self.values.shape[2:]))
        if images.shape != self.values.shape:
            raise TensorError(
                f"images: expected those that were explained, {list(self.values.shape)}, got {list(images.shape)}; index both alike"
            )
        numbers = images.detach().cpu().double()
        if images.ndim < 4:
            return list(numbers.numpy())
        pixels = 255 * self.bounds.to_pixels(numbers).clamp(0, 1)
        pixels = pixels.permute(0, 2, 3, 1) if images.ndim == 4 and images.shape[1] == 3 else pixels.mean(1)
        return list(pixels.round().numpy().astype(np.uint8))

    def _drawings(self, images: Any) -> Sequence[Drawing]:
        """What is given to draw maps on, if it is drawings; empty for anything else."""
        if not isinstance(images, Sequence) or not images or not all(isinstance(each, Drawing) for each in images):
            return ()
        if len(images) != len(self):
            raise TensorError(f"drawings: expected one for each of {len(self):,} maps, got {len(images):,}; index both alike")
        return images

    def picture(self, images: Any = None, *, reduction: Reduction | str = Reduction.SUM, names: Sequence[str] = ()) -> "Picture":
        """A figure of the maps, at most twelve, with the model, the class, the output, the method and the scale.

        Args:
            images: The images that were explained, `[b, c, …]`, or photographs as in `overlay`. With them, each map stands between
                its photograph and its overlay, a signal over its map, and the value of an input in its name. Or the drawings
                of signals, such as molecules, on which the maps are painted: `[data.drawing(item) for item in items]`.
            reduction: How the channels of images become one number per pixel.
            names: The names of the inputs of a table.

        Raises:
            TensorError: The images do not fit the maps, or these have no picture.

        >>> import torch
        >>> from heatproof.methods import Gradient
        >>> from heatproof.models.loaders import Toy
        >>> images = torch.linspace(0, 1, 784).view(1, 1, 28, 28)
        >>> picture = Gradient().attribute(Toy(architecture="cnn", width=0.1).load(), images, target=3).picture(images)
        >>> picture.alt
        'Gradient. toy:cnn (random weights) · logit. class 3'
        """
        return draw(self._sheet(images, Reduction(reduction), tuple(names)))

    def show(self, images: Any = None, *, reduction: Reduction | str = Reduction.SUM, names: Sequence[str] = ()) -> None:
        """Display the figure of `picture` in a notebook, or in the viewer of images elsewhere."""
        self.picture(images, reduction=reduction, names=names).show()

    def save(
        self, path: Path | str, images: Any = None, *, reduction: Reduction | str = Reduction.SUM, names: Sequence[str] = ()
    ) -> Path:
        """Write the figure of `picture` as PNG, SVG or PDF, by the suffix of the path. A file of that name is replaced."""
        return self.picture(images, reduction=reduction, names=names).save(path)

    def _sheet(self, images: Any, reduction: Reduction, names: tuple[str, ...]) -> Sheet:
        first = self[:MOST_PANELS]
        raw = first.values.detach().cpu().double().numpy()
        if reduction is Reduction.NONE:
            raise UsageError("reduction: expected one that gives one number per pixel, got none; draw one channel, or take the sum")
        if names and (raw.ndim != 2 or len(names) != raw.shape[1]):
            raise UsageError(
                f"names: expected one for each input of a table, got {len(names)} for maps {list(raw.shape[1:])}; leave them out"
            )
        shown = raw if reduction is Reduction.SUM else first.map(reduction).detach().cpu().double().numpy()
        drawings = self._drawings(images)
        pixels = [None] * len(raw) if images is None or drawings else self._pixels(images)[: len(raw)]
        panels = [
            Panel(shown[i], first._title(i), note=first.notes[i], image=pixels[i], drawing=drawings[i] if drawings else None)
            for i in range(len(raw))
        ]
        title = f"{self.label} · control" if self.control else self.label
        subtitle = f"{self.model} · {self.output}"
        return Sheet(title, subtitle, tuple(panels), reduction=reduction, names=names, omitted=len(self) - len(raw))

    def _title(self, i: int) -> str:
        """The explained class of an image, with its number."""
        return numbered(self.class_names[i], int(self.target[i]))

    def to_arrow(self) -> "pa.Table":
        """A table with one row per image: what was explained, what is known about the map, and its raw values and their shape.

        `sum` is what the map sums to. The columns go into Parquet files, DuckDB and data frames of every kind.
        """
        import pyarrow as pa

        rows = self.numpy().reshape(len(self), -1)
        columns: dict[str, Any] = {
            "image": range(len(self)),
            "model": [self.model] * len(self),
            "output": [self.output] * len(self),
            "target": self.target.tolist(),
            "class_name": list(self.class_names),
            "method": [self.label] * len(self),
            "control": [self.control] * len(self),
            "settings": [self.method] * len(self),
            "seed": [self.seed] * len(self),
            "sum": self.values.double().flatten(1).sum(1).tolist(),
            "expected_sum": self.expected_sum.tolist(),
            "gap": self.gap.tolist(),
            "error": self.error.tolist(),
            "probes": self.probes.tolist(),
            **{name: values.tolist() for name, values in self.details.items()},
            "note": list(self.notes),
            "shape": [list(self.values.shape[1:])] * len(self),
            "values": list(rows),
        }
        return pa.table(columns)

    def __repr__(self) -> str:
        known = {name: getattr(self, name).tolist() for name in ("gap", "error")}
        numbers = [
            f"{name}=[{first_of([f'{x:.2g}' for x in values])}]"
            for name, values in known.items()
            if not all(map(math.isnan, values))
        ]
        facts = [f"model={self.model}", f"output={self.output}", f"target=[{first_of([str(x) for x in self.target.tolist()])}]"]
        what = f"{len(self)} × {list(self.values.shape[1:])}, {self.label}"
        return f"Attribution({', '.join([what, *facts, *numbers, f'passes={self.passes.forward}+{self.passes.backward}'])})"


def relative_gap(values: Float[Tensor, "b *shape"], expected_sum: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
    """|Σ values − expected sum| / |expected sum| of each image, summed in float64, `[b]`.

    It is NaN where the expected sum is NaN or zero.
    """
    total = values.double().flatten(1).sum(1)
    gap = (total - expected_sum).abs() / expected_sum.double().abs()
    return torch.where(expected_sum != 0, gap, torch.nan).to(wide_type(values.dtype))
