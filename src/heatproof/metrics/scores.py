"""The result of a metric: one value per image, with its error, curve, components and notes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import UsageError
from heatproof.core.formatting import count, numbered, sentence_case
from heatproof.core.records import Direction, Reduction
from heatproof.numerics.finite import finite
from heatproof.numerics.reduce import reduce
from heatproof.numerics.wide import wide
from heatproof.pictures.batch_result import BatchResult
from heatproof.pictures.colors import Pixels, diverging, full_color, shares_of
from heatproof.pictures.export import first_of
from heatproof.pictures.scores import ScoreSheet, draw_scores
from heatproof.pictures.sheet import Array

if TYPE_CHECKING:
    import pyarrow as pa

    from heatproof.pictures.picture import Picture

MOST_ROWS = 40
"""The largest number of images that a picture shows; it states how many are left out."""


@dataclass(frozen=True, eq=False)
class Scores(BatchResult):
    """The result of scoring a batch: one value per image, never an average over images.

    values      The score of each image `[b]`.
    error       The Monte Carlo standard error of each score `[b]`: of the whole score, as it varies between seeds. NaN where
                the metric estimates none, because it draws no random numbers or only once.
    curve       The points of the curve that the score summarises `[b, p]`, or None if the metric has no curve.
    components  Further numbers per image `[b]`, by name.
    details     Facts about the whole batch, as plain JSON values.
    maps        Further maps `[b, c, …]` that the score was computed from, by name, for a figure.
    notes       One text per image: the reason why its score is NaN, or "".
    metric      The label of the metric; this and the fields below are set by `score`, and empty otherwise.
    better      Whether a higher or a lower score is better.
    curve_axes  The titles of the axes of the curve.
    curve_at    The positions of the points of the curve; empty means 0, 1, 2 and so on.
    model       The name of the network.
    method      The method of the maps in words.
    target      The class that was explained for each image `[b]`, as in `Attribution`; None if it is not known.
    class_names The name of each image's target.

    It has a length and is indexed by image: `scores[0]` and `scores[2:4]` are Scores, whose `details` still speak of the batch.

    >>> import torch
    >>> from heatproof.metrics import Scores
    >>> scores = Scores.of(torch.tensor([0.5, torch.nan]), missing="the map is zero everywhere")
    >>> scores.values
    tensor([0.5000,    nan])
    >>> scores.notes
    ('', 'the map is zero everywhere')
    >>> scores[1], len(scores)
    (Scores(1 image: nan), 2)
    """

    PER_IMAGE = ("values", "error", "curve", "components", "maps", "notes", "target", "class_names")

    values: Float[Tensor, " b"]
    error: Float[Tensor, " b"]
    curve: Float[Tensor, "b p"] | None = None
    components: Mapping[str, Float[Tensor, " b"]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    maps: Mapping[str, Float[Tensor, "b c *space"]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    metric: str = ""
    better: str = ""
    curve_axes: tuple[str, str] | None = None
    curve_at: tuple[float, ...] = ()
    model: str = ""
    method: str = ""
    target: Int[Tensor, " b"] | None = None
    class_names: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        values: Float[Tensor, " b"],
        *,
        error: Tensor | None = None,
        curve: Tensor | None = None,
        components: Mapping[str, Tensor] | None = None,
        details: Mapping[str, Any] | None = None,
        maps: Mapping[str, Tensor] | None = None,
        missing: str = "",
    ) -> "Scores":
        """Build scores from values `[b]`; each image whose value is NaN receives the note `missing`."""
        notes = tuple(missing if bad else "" for bad in values.isnan().tolist())
        unknown = torch.full_like(values, torch.nan)
        return cls(values, unknown if error is None else error, curve, components or {}, details or {}, maps or {}, notes)

    def numpy(self) -> Array:
        """The scores `[b]` as an array, in float32 if numpy has no such type."""
        values = self.values.detach().cpu()
        return np.asarray(wide(values) if values.dtype == torch.bfloat16 else values)

    def heatmap(self, reduction: Reduction | str = Reduction.SUM) -> dict[str, Pixels]:
        """The further maps in colours, uint8 `[b, h, w, 3]` by name, each on its own scale.

        Raises:
            UsageError: The metric computed no further maps.
        """
        if not self.maps:
            raise UsageError("heatmap: expected scores with further maps, got none; use the heatmap of the Attribution")
        reduced = {name: reduce(maps, Reduction(reduction)).double().cpu().numpy()[:, 0] for name, maps in self.maps.items()}
        return {name: np.stack([diverging(shares_of(each, full_color(each))) for each in maps]) for name, maps in reduced.items()}

    def picture(self) -> "Picture":
        """A figure of the scores: one dot per image, at most forty, with its standard error, and the curves behind them."""
        shown = self[:MOST_ROWS] if len(self) else self
        values, errors = (each.detach().cpu().double().numpy() for each in (shown.values, shown.error))
        better = f"{self.better} is better" if self.better else ""
        return draw_scores(
            ScoreSheet(
                title=sentence_case(" of ".join(filter(None, (self.metric or "scores", self.method)))),
                subtitle=" · ".join(filter(None, (self.model, better))),
                names=tuple(shown._title(i) for i in range(len(shown))),
                values=values,
                errors=errors,
                notes=shown.notes or ("",) * len(shown),
                curves=None if shown.curve is None else shown.curve.detach().cpu().double().numpy(),
                curve_at=self.curve_at,
                axes=self.curve_axes or ("point of the curve", "value"),
                omitted=len(self) - len(shown),
            )
        )

    def _title(self, i: int) -> str:
        """The number of an image and its explained class."""
        return f"image {i}" if self.target is None else f"image {i}: {numbered(self.class_names[i], int(self.target[i]))}"

    def show(self) -> None:
        """Display the figure of `picture` in a notebook, or in the viewer of images elsewhere."""
        self.picture().show()

    def save(self, path: Path | str) -> Path:
        """Write the figure of `picture` as PNG, SVG or PDF, by the suffix of the path. A file of that name is replaced."""
        return self.picture().save(path)

    def to_arrow(self) -> "pa.Table":
        """A table with one row per image: what was scored, the score with its error and components, its curve and its note.

        The tables of several methods and metrics can be concatenated where they have the same components.
        """
        import pyarrow as pa

        b = len(self)
        columns: dict[str, Any] = {
            "image": list(range(b)),
            "model": [self.model] * b,
            "target": [-1] * b if self.target is None else self.target.tolist(),
            "class_name": list(self.class_names) or [""] * b,
            "method": [self.method] * b,
            "metric": [self.metric] * b,
            "better": [self.better] * b,
            "value": self.values.tolist(),
            "error": self.error.tolist(),
            **{name: values.tolist() for name, values in self.components.items()},
            "curve": [[]] * b if self.curve is None else self.curve.tolist(),
            "note": list(self.notes) or [""] * b,
        }
        return pa.table(columns)

    def __repr__(self) -> str:
        what = " of ".join(filter(None, (self.metric, self.method)))
        n = count(len(self), "image")
        values = first_of(["nan" if math.isnan(value) else f"{value:.3g}" for value in self.values.tolist()])
        return f"Scores({', '.join(filter(None, (what, n)))}: {values}{f'; {self.better} is better' if self.better else ''})"


def without_broken(scores: Scores, *maps: Tensor) -> Scores:
    """Apply the NaN policy: set the scores of each image with a map that is not finite to NaN, and note the reason.

    The scores of the other images are returned unchanged.
    """
    broken = torch.stack([~finite(values) for values in maps]).any(0)
    return masked(scores, broken, "the map holds NaN or infinity")


def best_of(scores: Sequence[Scores], better: Direction) -> Scores:
    """For each image the best score, with its components and its note; a score that is missing is not the best unless all are.

    Where several answers are right, a map is right that gives one of them.

    >>> import torch
    >>> from heatproof.core.records import Direction
    >>> from heatproof.metrics import Scores
    >>> from heatproof.metrics.scores import best_of
    >>> first, second = Scores.of(torch.tensor([0.5, torch.nan])), Scores.of(torch.tensor([0.25, 1.0]))
    >>> best_of([first, second], Direction.HIGHER).values
    tensor([0.5000, 1.0000])
    """
    if len(scores) == 1:
        return scores[0]
    sign = 1 if better == Direction.HIGHER else -1
    values = torch.stack([each.values for each in scores])
    best = (sign * values).nan_to_num(nan=-torch.inf).argmax(0)

    def chosen(columns: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(columns))[best, torch.arange(len(best), device=best.device)]

    return replace(
        scores[0],
        values=chosen([each.values for each in scores]),
        error=chosen([each.error for each in scores]),
        curve=None if scores[0].curve is None else chosen([each.curve for each in scores if each.curve is not None]),
        components={name: chosen([each.components[name] for each in scores]) for name in scores[0].components},
        notes=tuple(scores[k].notes[i] if scores[k].notes else "" for i, k in enumerate(best.tolist())),
    )


def masked(scores: Scores, where: Tensor, reason: str) -> Scores:
    """Set all values of the masked images to NaN, and write the reason, unless it is empty, into their notes."""
    if not bool(where.any()):
        return scores
    nan = torch.nan
    return replace(
        scores,
        values=scores.values.masked_fill(where, nan),
        error=scores.error.masked_fill(where, nan),
        curve=None if scores.curve is None else scores.curve.masked_fill(where[:, None], nan),
        components={key: value.masked_fill(where, nan) for key, value in scores.components.items()},
        notes=tuple(reason or note if bad else note for bad, note in zip(where.tolist(), scores.notes, strict=True)),
    )
