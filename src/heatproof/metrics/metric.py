"""What all metrics share: frozen settings, declared class facts, and a score with one value per image (see `base.py`)."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from heatproof.core.formatting import count
from heatproof.core.records import Direction, Reduction
from heatproof.core.settings import Settings
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount


@dataclass(frozen=True)
class RetrainingCost:
    """The passes of trainings, which a metric needs once for a data set, whatever the number of its images.

    images      the training images, of each of which a map is computed for each method.
    images_key  the key by which metrics share these maps.
    own         the passes of the trainings for each method.
    common      the passes of the trainings that serve all methods.
    common_key  the key by which metrics share these.
    """

    images: int
    images_key: str
    own: PassCount
    common: PassCount
    common_key: str


class Metric(Settings, ABC):
    """The settings and class facts that all metrics share. Reports, tables and tests read the facts from here.

    >>> from heatproof.metrics import Metric
    >>> metric = Metric.from_dict({"name": "perturbation_curve", "order": "least"})
    >>> metric.label, metric.direction.value
    ('AUPC', 'higher')
    """

    home: ClassVar[str] = "heatproof.metrics"
    family: ClassVar[str] = "metric"

    label: ClassVar[str]
    """The short name of the metric in the heading of a table."""
    title: ClassVar[str] = ""
    """The name in full, if it is neither the label nor the words of the metric's name."""
    meaning: ClassVar[str]
    """One sentence that explains the score to a reader who does not know the metric."""
    better: ClassVar[Direction]
    """Whether a higher or a lower score is better under the default settings."""
    bounds: ClassVar[tuple[float, float]]
    """The smallest and the largest possible score."""
    reduction: ClassVar[Reduction]
    """How the channels of the raw map are combined before the map is scored."""
    scale_invariant: ClassVar[bool] = False
    """Whether multiplying the map by a positive number leaves the score unchanged."""
    needs_images: ClassVar[bool] = False
    """Whether the metric needs images `[b, c, h, w]`, and refuses tables, signals and volumes."""
    needs_places: ClassVar[bool] = False
    """Whether the metric needs neighbours or distances, and refuses tables `[b, f]`, whose columns have none."""
    instead: ClassVar[str] = ""
    """What to set for data that these settings refuse; empty if nothing will do, and another metric must be chosen."""
    needs_bounds: ClassVar[bool] = False
    """Whether the metric makes sense only for images in the units of the model's bounds; images in other units are refused."""
    curve_axes: ClassVar[tuple[str, str] | None] = None
    """The names of the horizontal and the vertical axis of the curve, or None if the metric has no curve."""
    component_meanings: ClassVar[Mapping[str, str]] = {}
    """The meaning of each component of the scores, by name."""
    cite: ClassVar[str] = ""
    """The publication that the metric comes from."""

    @property
    def direction(self) -> Direction:
        """Whether a higher or a lower score is better under these settings."""
        return self.better

    @property
    def caption(self) -> str:
        """What a score means under these settings, in one sentence."""
        return self.meaning

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        """Check that maps of this network on images of this shape can be scored, before any map is computed.

        A run calls it before its first unit, and by default there is nothing to check.

        Args:
            model: The network.
            image_shape: The shape of its images, `(c, h, w)`, or of other data: `(c, t)`, `(c, d, h, w)`, or `(f,)` for a table.

        Raises:
            SettingsError: The settings do not fit images of this shape.
            ModelError: They do not fit the network.
        """
        return

    def cost(self, image_shape: ImageShape) -> PassCount:
        """Return the passes that scoring one map costs, without the passes of further maps."""
        return PassCount()

    def common_cost(self, image_shape: ImageShape) -> Mapping[str, PassCount]:
        """Return the passes per image that are run once for all methods, by the key under which metrics share them."""
        return {}

    def retraining(self, image_shape: ImageShape) -> RetrainingCost | None:
        """Return the passes of trainings that are run once for the whole data set; None if nothing is trained."""
        return None

    def price(self, image_shape: ImageShape) -> str:
        """The cost of one score in words, without the cost of the map itself."""
        maps, forward = self.explanations(), self.cost(image_shape).forward
        passes = count(forward, "forward pass") if forward else ""
        return ", ".join(filter(None, (passes, count(maps, "more map") if maps else ""))) or "none"

    def explanations(self, stochastic: bool = True) -> int:
        """Return the largest number of further maps that one score needs, of a stochastic or of a deterministic method."""
        return 0

    @property
    def axes(self) -> tuple[str, str] | None:
        """The names of the horizontal and the vertical axis of the curve under these settings, or None without a curve."""
        return self.curve_axes

    @property
    def curve_at(self) -> tuple[float, ...]:
        """The positions of the points of the curve on the horizontal axis; empty means 0, 1, 2 and so on."""
        return ()

    @property
    def cache_key(self) -> str:
        """The key of the further maps: metrics with equal keys use the same further maps, so these are computed once for all."""
        return self.digest
