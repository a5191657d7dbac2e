"""How two maps of one image are compared: which values enter the comparison, and by which measure.

    signed      the values A_c, summed over channels or value by value
    absolute    the magnitudes |A_c|, summed over channels or value by value
    support     only the values that differ from zero in at least one of the two maps

`support` matters for sparse images: the maps x ⊙ u and x ⊙ v agree wherever x is zero, whatever u and v are. Without it, the rank
correlation of the magnitudes of two maps that both carry the image as a factor is near 1. The component `floor` of
`parameter_randomisation` measures how near.
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
from heatproof.numerics.wide import wide

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
    """A metric that compares two maps of one method with each other, by a similarity that the user chooses.

    similarity  The measure. Of values: cosine, pearson, spearman, kendall (τ-b), kendall_a (τ-a), kendall_c (τ-c), sign (the
                share of values with equal signs) and top (the share that the largest values of both maps have in common). Of
                pictures: ssim (structural similarity; Wang et al., IEEE TIP 2004), hog and hog_spearman (Pearson's or Spearman's
                correlation of histograms of oriented gradients; Dalal & Triggs, CVPR 2005). Pictures are images alone.
    entries     Whether signed values or their magnitudes are compared. For ssim and the two hog measures, magnitudes are scaled to
                [0, 1] and signed values to [−1, 1], by their 99th percentile, or by their maximum where that is zero.
    channels    Whether the channels are summed first (sum) or every value of every channel is compared by itself (each). ssim and
                the two hog measures always compare sums.
    support     Whether values that are zero in both maps are left out. ssim, the two hog measures and top need every value.
    top         The share of values that the similarity `top` compares.
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
        """The comparison in words, for the axis of a figure."""
        where = " on the support" if self.support else ""
        return f"{_NAMES[self.similarity]}, {self.entries} values{where}"

    @property
    def undefined(self) -> str:
        """Why two maps have no similarity, for notes: what is compared (entries on the support, say) is the same everywhere."""
        return f"one of the maps is constant in what is compared ({self.compared})"

    @property
    def cache_key(self) -> str:
        """The digest of all settings except those of the comparison, which do not change the maps that are compared."""
        others = {key: value for key, value in self.to_dict().items() if key not in ComparingMetric.model_fields}
        return content_hash(others)

    @property
    def needs_images(self) -> bool:  # type: ignore[override]  # a fact of the class that here depends on a setting
        """Whether pictures are compared, which tables, signals and volumes are not."""
        return self.similarity in _PICTURES

    @property
    def instead(self) -> str:  # type: ignore[override]  # likewise
        return "set similarity to one of values, such as spearman"

    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the similarity `[b]` of raw maps `[b, c, …]`, one number per image."""
        x, y = (self._entries(wide(maps)) for maps in (a, b))
        if self.similarity in _PICTURES:
            return self._picture_similarity(x, y)
        measure = _OF_ENTRIES.get(self.similarity) or partial(
            similarity.top_k_intersection, k=max(1, round(self.top * x[0].numel()))
        )
        return similarity.on_support(measure, x, y, (x != 0) | (y != 0)) if self.support else measure(x, y)

    def _entries(self, maps: Tensor) -> Tensor:
        maps = maps.abs() if self.entries == "absolute" else maps
        return reduce(maps, Reduction.SUM if self.channels == "sum" else Reduction.NONE)

    def _picture_similarity(self, x: Tensor, y: Tensor) -> Tensor:
        signed = self.entries == "signed"
        scaled = (symmetric_scale(m, 99).clamp(-1, 1) if signed else percentile_scale(m) for m in (x.sum(1), y.sum(1)))
        a, b = scaled
        if self.similarity == "ssim":
            return similarity.ssim(a, b, data_range=2 if signed else 1)
        return similarity.hog_similarity(a, b, similarity.pearson if self.similarity == "hog" else similarity.spearman)
