"""The one place that says how two maps of an image are compared: which entries, and by which measure.

    signed      A_c summed over channels, or entry by entry
    absolute    |A_c| summed over channels, or entry by entry
    support     only entries that are zero in not both maps: x·u and x·v agree wherever x is zero, whatever u and v are

On sparse images the rank correlation of magnitudes is near 1 for any two maps that carry the image as a factor; the null floor of
`parameter_randomisation` says how near.
"""

from abc import ABC
from collections.abc import Callable, Mapping
from functools import partial
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.core.settings import content_hash
from heatproof.metrics.base import ExplainerMetric
from heatproof.numerics import similarity
from heatproof.numerics.normalise import percentile_scale, symmetric_scale
from heatproof.numerics.reduce import reduce

Similarity = Literal[
    "cosine",
    "pearson",
    "spearman",
    "kendall",
    "kendall_a",
    "kendall_c",
    "ssim",
    "hog",
    "hog_spearman",
    "top",
    "sign",
]

_OF_ENTRIES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": similarity.cosine,
    "pearson": similarity.pearson,
    "spearman": similarity.spearman,
    "kendall": similarity.kendall,
    "kendall_a": partial(similarity.kendall, variant="a"),
    "kendall_c": partial(similarity.kendall, variant="c"),
    "sign": similarity.sign_agreement,
}
_NAMES = {
    "cosine": "cosine",
    "pearson": "Pearson’s r",
    "spearman": "Spearman’s ρ",
    "kendall": "Kendall’s τ",
    "kendall_a": "Kendall’s τ-a",
    "kendall_c": "Kendall’s τ-c",
    "ssim": "SSIM",
    "hog": "HOG, Pearson’s r",
    "hog_spearman": "HOG, Spearman’s ρ",
    "top": "overlap at the top",
    "sign": "equal signs",
}
_PICTURES = ("ssim", "hog", "hog_spearman")


class ComparingMetric(ExplainerMetric, ABC):
    """Compares maps of one method with each other.

    similarity  of entries: cosine, pearson, spearman, kendall (τ-b), kendall_a, kendall_c, sign (share of equal signs), top (share
                in common among the greatest `top`); of pictures: ssim, hog (Pearson of its features), hog_spearman.
    entries     signed values or their magnitudes. SSIM and HOG see magnitudes scaled to [0, 1] and signed values to [−1, 1], by
                their 99th percentile.
    channels    their sum, or each entry of every channel by itself; pictures are of sums.
    support     whether entries that are zero in both maps are left out; not for pictures.
    top         share of the entries that `top` compares.
    """

    reduction: ClassVar[Reduction] = Reduction.NONE
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    better: ClassVar[Direction] = Direction.HIGHER
    scale_invariant: ClassVar[bool] = True

    similarity: Similarity = "spearman"
    entries: Literal["signed", "absolute"] = "signed"
    channels: Literal["sum", "each"] = "sum"
    support: bool = False
    top: float = Field(default=0.1, gt=0, le=1)

    @model_validator(mode="after")
    def _support_of_entries(self) -> Self:
        if self.support and self.similarity in (*_PICTURES, "top"):
            raise ValueError(f"support: expected false with similarity {self.similarity}, which needs every entry, got true")
        return self

    @property
    def compared(self) -> str:
        """The comparison in words."""
        where = " on the support" if self.support else ""
        return f"{_NAMES[self.similarity]}, {self.entries} values{where}"

    @property
    def asks(self) -> str:
        asked = {key: value for key, value in self.to_dict().items() if key not in ComparingMetric.model_fields}
        return content_hash(asked)

    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """The similarity of raw maps `[b, c, h, w]`, one number a sample."""
        x, y = (self._entries(maps) for maps in (a, b))
        if self.similarity in _PICTURES:
            return self._picture_similarity(x, y)
        measure = _OF_ENTRIES.get(self.similarity) or partial(
            similarity.top_k_intersection, k=max(1, round(self.top * x[0].numel()))
        )
        return similarity.on_support(measure, x, y, (x != 0) | (y != 0)) if self.support else measure(x, y)

    def _entries(self, maps: Tensor) -> Tensor:
        maps = maps.abs() if self.entries == "absolute" else maps
        return reduce(maps, Reduction.SUM) if self.channels == "sum" else maps

    def _picture_similarity(self, x: Tensor, y: Tensor) -> Tensor:
        signed = self.entries == "signed"
        scaled = (symmetric_scale(m, 99).clamp(-1, 1) if signed else percentile_scale(m) for m in (x.sum(1), y.sum(1)))
        a, b = scaled
        if self.similarity == "ssim":
            return similarity.ssim(a, b, data_range=2 if signed else 1)
        return similarity.hog_similarity(a, b, similarity.pearson if self.similarity == "hog" else similarity.spearman)
