"""Maximal sensitivity: the largest relative change of a map when the image is changed by a little noise.

    value = max_s ‖A(x + n_s) − A(x)‖ / ‖A(x)‖,    n_s uniform in [−r, r] for each value

A is the map of all channels, ‖·‖ its Euclidean norm, and r a share of the range of the bounds. The maximum is over samples, so that
it is a lower bound of the largest change in the ball, and grows with their number. A method that draws random numbers draws the
same ones for the changed images, so that the value is 0 where nothing is changed.

The component `mean` is the mean over samples, which does not grow with their number, and `answer` the share of changed images of
which the network predicts the same class: a map may change where the decision does.

Cost: 1 map and 1 forward pass for each sample, and 1 forward pass more.
Source: Yeh, Hsieh, Suggala, Inouye & Ravikumar, "On the (in)fidelity and sensitivity of explanations", NeurIPS 2019.
Differs from the paper because the radius is a share of the range of the bounds, so that it means the same for every network, and
because the change is relative to the map.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import ExplainerMetric
from heatproof.metrics.explain import Explain
from heatproof.metrics.scores import Scores, without_broken
from heatproof.models.classes import decision
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import raw_outputs
from heatproof.perturb.draws import Draws, drawn_as


class MaxSensitivity(ExplainerMetric):
    """Largest relative change of the map, over samples of uniform noise that is added to the image.

    radius   The largest change of a value, as a share of the range of the bounds.
    samples  The number of changed images.

    >>> import torch
    >>> from heatproof.methods import SmoothGrad
    >>> from heatproof.metrics import MaxSensitivity, score
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> score(MaxSensitivity(radius=0, samples=2), model, images, SmoothGrad(samples=3)).values
    tensor([0., 0.])
    >>> score(MaxSensitivity(samples=2), model, images, SmoothGrad(samples=3)).values > 0
    tensor([True, True])
    """

    label: ClassVar[str] = "max-sensitivity"
    title: ClassVar[str] = "maximal sensitivity"
    meaning: ClassVar[str] = "Largest change of the map, relative to the map, when a little noise is added to the image."
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.NONE
    scale_invariant: ClassVar[bool] = True
    component_meanings: ClassVar[dict[str, str]] = {
        "mean": "mean relative change over the samples",
        "answer": "share of the samples of which the network still predicts the same class",
    }
    cite: ClassVar[str] = "Yeh et al., NeurIPS 2019"

    radius: NonNegativeFloat = 0.02
    samples: PositiveInt = 10

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1 + self.samples, clean=1)

    def explanations(self, stochastic: bool = True) -> int:
        return self.samples

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        clean = explain(images, target, seed).values
        draws, choice = Draws.for_images(seed, images), decision(model, raw_outputs(model, images))
        lower, upper = model.bounds.like(images)
        changes, answers = [], []
        for s in range(self.samples):
            noise = 2 * draws.uniform("max sensitivity", s, images.shape[1:]) - 1
            changed = images + self.radius * (upper - lower) * noise
            with drawn_as(changed, images):
                values = explain(changed, target, seed).values
            changes.append(_norm(values - clean) / _norm(clean))
            answers.append(decision(model, raw_outputs(model, changed)) == choice)
        relative = torch.stack(changes, 1)
        answer = torch.stack(answers, 1).to(relative).mean(1).masked_fill(choice < 0, torch.nan)
        components = {"mean": relative.mean(1).to(clean), "answer": answer.to(clean)}
        known = relative.isfinite().all(1)
        value = torch.where(known, relative.amax(1), torch.nan).to(clean)
        missing = "the map is zero everywhere, or a map of a changed image holds NaN or infinity"
        return without_broken(Scores.of(value, components=components, missing=missing), clean)


def _norm(maps: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
    return maps.double().flatten(1).square().sum(1).sqrt()
