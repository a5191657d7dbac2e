"""The questions that advice asks of every method, in order of cost: what is scored, what it is compared with, and what passes.

    weights    the map of the same image after all weights are replaced: has it lost more than half of the similarity that it can
               lose, which is 1 less the floor of two maps of noise times the image?
    class      the map of another class: is it less similar than the limit? An edge map has 1.
    repeat     the map of another seed: is most of it the same?
    noise      the map of the image with weak noise, which keeps the decision: is most of its order the same?
    pixels     does the score keep more when the pixels that the map calls irrelevant are replaced first than when the relevant ones
               are, and by more than with the edges of the image for a map?
    regions    the same with regions of about a seventh of the image's side.
    object     is more of the map on the object than of a Gaussian in the centre?

The first four compare maps with maps: they show that a map depends on what it explains, not that it is right. `pixels` and
`regions` change the image. `pixels` rewards contributions: maps whose sum over few pixels says how much of the score they carry.
`regions` sums the map over regions first, which sensitivities such as a smoothed gradient survive, too. Both use two fills, and a
method must pass under each of them. Single values of a gradient have signs that say nothing of presence; as all maps are ranked
by their signed sum, such a map fails `pixels`, which is the right answer where the question is about contributions. The two fills
are the first two of a question that the data allow. Data without edges, such as tables and signals, are compared with the values
of the input.

Every question has one number for each map, in the metric's own unit, which is oriented so that more than 0 passes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from heatproof.methods import CentreMap, EdgeMap, InputMap
from heatproof.methods.base import Method
from heatproof.metrics.metric import Metric

Against = Literal["limit", "edges", "values", "centre"]
Stage = Literal["dependence", "faithfulness"]
STAGES: tuple[Stage, ...] = ("dependence", "faithfulness")


@dataclass(frozen=True)
class Rival:
    """A map that explains nothing, and that a good map scores better than: its label, its method, and what it shows, in words."""

    label: str
    method: Method
    shows: str


RIVALS: Mapping[Against, Rival] = {
    "edges": Rival("Edge map", EdgeMap(), "the edges of the image"),
    "values": Rival("Input map", InputMap(), "the values of the input"),
    "centre": Rival("Centre map", CentreMap(), "a Gaussian in the centre"),
}
PLACES = {1: "column", 2: "time", 4: "voxel"}
"""A place of data that are no images, by the axes of one example."""


@dataclass(frozen=True)
class Question:
    """What is asked of each method.

    Attributes:
        name: one word, for tables.
        asks: the question.
        stage: the run in which it is answered. Methods that fail an eliminating question do not enter the next stage.
        metrics: each metric or its settings, by its label. A method passes or fails if it does so by all of them.
        against: what a score is compared with: a limit, or the rival of that name.
        limit: the score that divides pass from fail, for `against="limit"`.
        floor: the component that holds the score of maps which do not depend on the network; the limit is then halfway between it
            and 1.
        lower: whether lower scores pass.
        eliminates: whether a method that fails is no candidate any more.
        failed: what is shown to be wrong with a method that fails.
    """

    name: str
    asks: str
    stage: Stage
    metrics: Mapping[str, Metric | Mapping[str, Any]] = field(hash=False)
    against: Against = "limit"
    limit: float = 0.5
    floor: str = ""
    lower: bool = False
    eliminates: bool = False
    failed: str = ""

    def built(self) -> dict[str, Metric]:
        """The metrics, by their labels."""
        return {label: one if isinstance(one, Metric) else Metric.from_dict(one) for label, one in self.metrics.items()}

    @property
    def faithfulness(self) -> bool:
        """Whether it asks how far a map follows the network's answer, by metrics that are judged before they are used."""
        return self.against in ("edges", "values")

    def of_data(self, axes: int) -> "Question":
        """The same question about data without edges, whose examples have so many axes: signals have two, and tables one.

        >>> from heatproof.verdict.question import PIXELS
        >>> PIXELS.of_data(1).name, PIXELS.of_data(1).asks
        ('columns', 'Is the map faithful to contributions, column by column, more than the values of the input?')
        """
        if self.against != "edges" or axes not in PLACES:
            return self

        def words(text: str) -> str:
            return text.replace(RIVALS["edges"].shows, RIVALS["values"].shows).replace("pixel", PLACES[axes])

        metrics = {words(label): metric for label, metric in self.metrics.items()}
        return replace(
            self, name=words(self.name), asks=words(self.asks), failed=words(self.failed), metrics=metrics, against="values"
        )


WEIGHTS = Question(
    name="weights",
    asks="Does the map depend on the weights?",
    stage="dependence",
    metrics={"Similarity with new weights": {"name": "parameter_randomisation", "blocks": 1}},
    floor="floor",
    lower=True,
    eliminates=True,
    failed="it keeps most of itself when the weights are new",
)
CLASS = Question(
    name="class",
    asks="Does the map depend on the class?",
    stage="dependence",
    metrics={"Similarity to another class": {"name": "random_logit"}},
    limit=0.9,
    lower=True,
    eliminates=True,
    failed="it keeps more than 0.9 of itself when another class is explained",
)
REPEAT = Question(
    name="repeat",
    asks="Is the map repeatable?",
    stage="dependence",
    metrics={"Repeatability": {"name": "repeatability"}},
    failed="its correlation with itself under another seed is below 0.5",
)
NOISE = Question(
    name="noise",
    asks="Is the map stable under weak noise, which keeps the decision?",
    stage="dependence",
    metrics={
        "Similarity under noise": {
            "name": "similarity_under_change",
            "similarity": "spearman",
            "entries": "signed",
            "levels": [0.05],
        }
    },
    failed="its similarity to itself under weak noise is below 0.5",
)


def _gain(fill: str, **settings: Any) -> dict[str, Any]:
    return {"name": "symmetric_relevance_gain", "fill": {"name": fill}, **settings}


PIXELS = Question(
    name="pixels",
    asks="Is the map faithful to contributions, pixel by pixel, more than the edges of the image?",
    stage="faithfulness",
    metrics={
        "SRG pixels, blurred": _gain("blurred", groups=None, steps=12, share=1.0),
        "SRG pixels, channel mean": _gain("channel_mean", groups=None, steps=12, share=1.0),
        "SRG pixels, noise": _gain("uniform", groups=None, steps=12, share=1.0),
        "SRG pixels, zero": _gain("zero", groups=None, steps=12, share=1.0),
    },
    against="edges",
    failed="it ranks pixels worse than the edges of the image do",
)
REGIONS = Question(
    name="regions",
    asks="Is the map faithful region by region, more than the edges of the image?",
    stage="faithfulness",
    metrics={
        "SRG regions, blurred": _gain("blurred", steps=12),
        "SRG regions, channel mean": _gain("channel_mean", steps=12),
    },
    against="edges",
    failed="it ranks regions worse than the edges of the image do",
)
OBJECT = Question(
    name="object",
    asks="Is the map on the object, more than a Gaussian in the centre?",
    stage="faithfulness",
    metrics={"Energy on the object": {"name": "energy_in_mask"}},
    against="centre",
    failed="less of it is on the object than of a Gaussian in the centre",
)

QUESTIONS: tuple[Question, ...] = (WEIGHTS, CLASS, REPEAT, NOISE, PIXELS, REGIONS, OBJECT)
