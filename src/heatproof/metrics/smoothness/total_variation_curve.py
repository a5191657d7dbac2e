"""Multi-scale average total variation of a heatmap, and the area under it (AUTVC).

    ATV(S) = (Σ|S_{i,j+1} − S_{i,j}| + Σ|S_{i+1,j} − S_{i,j}|) / (h w)

S = the absolute value of the channel sum, scaled to [0, 1] between its minimum and its 99th percentile, at each level anew.
Levels: a Gaussian pyramid of the signed map with factor 1.5 while the shorter side is ≥ 30 pixels (224, 150, 100, 67, 45, 30).
AUTVC = Simpson's rule over the levels, step 1; for an even number of levels the mean of both end corrections.

Lower is smoother. Beware: it also rewards concentration (a blob on black scores better than an even texture), and a constant map
scores 0. White noise scores about 2.36 at 224 pixels.

Cost: none. Source: Goh et al., "Understanding integrated gradients with SmoothTaylor", ICPR 2020, eq. 12.
Differs from the slides: they normalise once, before the pyramid; the published figures need it per level. `normalise="once"`
gives the slides' version, which scores white noise lower than noise blurred by 1 to 4 pixels.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import MapMetric, Scores
from heatproof.numerics.area import AreaRule, area
from heatproof.numerics.normalise import percentile_scale
from heatproof.numerics.pyramid import pyramid
from heatproof.numerics.total_variation import average_total_variation

PUBLISHED_SIDE = 224


class TotalVariationCurve(MapMetric):
    """Area under the multi-scale total variation curve.

    factor         by which each level is smaller than the one before.
    smallest_side  pixels of the shorter side at which the pyramid ends.
    scaled         take the smallest side as meant for 224 pixels and scale it to the map, so that there are as many levels.
    normalise      rescale the map at every level (published figures) or once before the pyramid (slides).
    percentile     of |map| that counts as 1.
    area_rule      Simpson (published) or trapezoid.
    """

    label: ClassVar[str] = "AUTVC"
    meaning: ClassVar[str] = "How much neighbouring pixels of the map differ, summed over scales; low means smooth or concentrated."
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    curve_axes: ClassVar[tuple[str, str]] = ("pyramid level", "average total variation")
    cite: ClassVar[str] = "Goh et al., ICPR 2020"

    factor: float = Field(default=1.5, gt=1)
    smallest_side: PositiveInt = 30
    scaled: bool = False
    normalise: Literal["per level", "once"] = "per level"
    percentile: float = Field(default=99.0, gt=0, le=100)
    area_rule: AreaRule = "simpson"

    def measure(self, maps: Tensor) -> Scores:
        smallest = self.smallest_side * min(maps.shape[-2:]) / PUBLISHED_SIDE if self.scaled else self.smallest_side
        if self.normalise == "once":
            levels = list(pyramid(percentile_scale(maps, self.percentile), self.factor, smallest))
        else:
            levels = [percentile_scale(level, self.percentile) for level in pyramid(maps, self.factor, smallest)]
        if len(levels) < 2:
            raise SettingsError(
                f"total_variation_curve: expected maps with at least 2 pyramid levels, got {list(maps.shape[-2:])} pixels "
                f"with smallest_side={self.smallest_side}; set scaled=True"
            )
        curve = torch.stack([average_total_variation(level) for level in levels], dim=1)
        return Scores.of(area(curve, self.area_rule), curve=curve)
