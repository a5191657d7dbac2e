"""Multi-scale average total variation of a map, and the area under its curve (AUTVC).

    ATV(S) = (Σ |S_(i,j+1) − S_(i,j)| + Σ |S_(i+1,j) − S_(i,j)|) / (h w)

S is the absolute value of the sum of the map over channels, scaled to [0, 1] between its minimum and its 99th percentile; h and w
are its height and width. The curve holds one value for each level of a Gaussian pyramid of the signed map. Each level is smaller
than the one before by the factor 1.5, down to a shorter side of 30 pixels (224, 150, 100, 67, 45 and 30), and S is scaled anew at
every level. AUTVC is the area under the curve by Simpson's rule with step 1; for an even number of levels it is the mean of both
end corrections.

A lower value is smoother. A lower value also rewards concentration: a single blob on black scores better than an even texture,
and a constant map scores 0. White noise scores about 2.36 at 224 pixels.

Of a signal the sum runs over pairs of consecutive times and is divided by their number; of a volume it runs along three axes. The
scores of signals, images and volumes are therefore no more alike than the numbers of their neighbours.

Cost: no passes. Source: Goh et al., "Understanding integrated gradients with SmoothTaylor", ICPR 2020, eq. 12.
Differs from the authors' slides because these scale S once, before the pyramid, while the published figures need it at every level.
`normalise="once"` computes the version of the slides, which scores white noise lower than noise blurred by 1 to 4 pixels.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import MapMetric
from heatproof.metrics.scores import Scores
from heatproof.numerics.area import AreaRule, area
from heatproof.numerics.normalise import percentile_scale
from heatproof.numerics.pyramid import level_sizes, pyramid
from heatproof.numerics.total_variation import average_total_variation

PUBLISHED_SIDE = 224


class TotalVariationCurve(MapMetric):
    """Area under the multi-scale total variation curve (AUTVC).

    factor         The factor by which each level of the pyramid is smaller than the level before.
    smallest_side  The length of the shortest side, in pixels, at which the pyramid ends.
    scaled         Whether `smallest_side` is meant for maps of 224 pixels, so that every map has as many levels as these, if it has
                   the pixels for them.
    normalise      Whether the map is scaled at every level (per level; Goh et al., published figures) or once before the pyramid
                   (once; Goh et al., slides).
    percentile     The percentile of the magnitudes that is scaled to 1.
    area_rule      The rule of the area: simpson (as published) or trapezoid.

    >>> import torch
    >>> from heatproof.metrics import TotalVariationCurve
    >>> maps = torch.linspace(-1, 1, 28 * 28).view(1, 1, 28, 28)
    >>> TotalVariationCurve(scaled=True).score(maps).curve.shape
    torch.Size([1, 6])
    """

    label: ClassVar[str] = "AUTVC"
    title: ClassVar[str] = "area under the total-variation curve"
    meaning: ClassVar[str] = (
        "How much neighbouring pixels of the map differ, summed over scales; a low value is smooth or concentrated."
    )
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    needs_places: ClassVar[bool] = True
    curve_axes: ClassVar[tuple[str, str]] = ("pyramid level", "average total variation")
    cite: ClassVar[str] = "Goh et al., ICPR 2020"

    factor: float = Field(default=1.5, gt=1)
    smallest_side: PositiveInt = 30
    scaled: bool = False
    normalise: Literal["per level", "once"] = "per level"
    percentile: float = Field(default=99.0, gt=0, le=100)
    area_rule: AreaRule = "simpson"

    def measure(self, maps: Tensor) -> Scores:
        once = self.normalise == "once"
        smallest, most = (1, self._published_levels()) if self.scaled else (self.smallest_side, None)
        levels = list(pyramid(percentile_scale(maps, self.percentile) if once else maps, self.factor, smallest, most))
        if len(levels) < 2:
            remedy = "explain larger images" if self.scaled else "set scaled=True"
            raise SettingsError(
                f"total_variation_curve: expected maps with at least 2 pyramid levels, got {list(maps.shape[2:])} pixels "
                f"with smallest_side={self.smallest_side}; {remedy}"
            )
        scaled = levels if once else [percentile_scale(level, self.percentile) for level in levels]
        curve = torch.stack([average_total_variation(level) for level in scaled], dim=1)
        return Scores.of(area(curve, self.area_rule), curve=curve)

    def _published_levels(self) -> int:
        """The number of levels of a map of the published size."""
        return len(list(level_sizes((PUBLISHED_SIDE, PUBLISHED_SIDE), self.factor, self.smallest_side)))
