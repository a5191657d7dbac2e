"""What a changed image's score is relative to: the score of the clean image, so that images can be compared.

    y = f(x') / f(x)         the score of a class, or its probability
    y = f(x') − f(x)         a quantity, as a regression gives it, where regions are ranked by signed relevance
    y = −|f(x') − f(x)|      a quantity, where they are ranked by magnitude: what matters may move it either way

The zero of a quantity is a convention, such as that of degrees or of a standardised target, so no multiple of it means anything:
a quantity is compared in its own unit, and a constant that is added to it changes no value. For the score of a class, a clean
score of zero or below has no multiple that means "more", and one that is small against the effect of the image itself is small by
chance: its images would outweigh all others in a mean. The values are NaN there, and a note says why. Which images these are
depends on the image and on the fill, but on no map, so that all methods are compared on the same images.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.metrics.scores import Scores, masked
from heatproof.models.classes import has_class
from heatproof.models.model import Model

NEAR_ZERO = 0.1
"""The smallest clean score of a class that others are relative to, as a share of the change when the whole image is replaced."""


@dataclass(frozen=True, eq=False)
class Relative:
    """How the scores of changed images are compared with those of the clean ones.

    clean     The score of each clean image `[b]`.
    replaced  Its score when all of it is replaced `[b]`, which depends on no map.
    quantity  Whether the score belongs to no class.
    by_size   Whether changes of a quantity count by their size.

    >>> import torch
    >>> from heatproof.metrics.faithfulness.relative_scores import Relative
    >>> clean, replaced, changed = torch.tensor([8.0, -8.0]), torch.tensor([-9.0, -9.0]), torch.tensor([6.0, 2.0])
    >>> ways = {"class": (False, False), "quantity": (True, False), "quantity, by size": (True, True)}
    >>> [Relative(clean, replaced, *way).of(changed).tolist() for way in ways.values()]
    [[0.75, -0.25], [-2.0, 10.0], [-2.0, -10.0]]
    """

    clean: Float[Tensor, " b"]
    replaced: Float[Tensor, " b"]
    quantity: bool
    by_size: bool = False

    @classmethod
    def to(cls, model: Model, target: Int[Tensor, " b"], clean: Tensor, replaced: Tensor, scores: Tensor, *, by_size: bool) -> Self:
        """Relative to the clean images of a model, in the type of `scores`."""
        return cls(clean.to(scores), replaced.to(scores), not has_class(model, target), by_size)

    @property
    def start(self) -> float:
        """The value of the clean image itself."""
        return 0.0 if self.quantity else 1.0

    def of(self, scores: Float[Tensor, "b *rest"]) -> Float[Tensor, "b *rest"]:
        """The scores of changed images, relative to the clean ones, in float64, as differences of them are small."""
        scores, clean = scores.double(), self.clean.double().view(-1, *[1] * (scores.ndim - 1))
        if not self.quantity:
            return scores / clean
        return -(scores - clean).abs() if self.by_size else scores - clean

    def where_meaningful(self, scores: Scores) -> Scores:
        """Relative scores in the type of the clean ones, with NaN, and a note, for each image on which they mean nothing."""
        clean = self.clean
        scores = replace(
            scores,
            values=scores.values.to(clean),
            error=scores.error.to(clean),
            curve=None if scores.curve is None else scores.curve.to(clean),
            components={name: component.to(clean) for name, component in scores.components.items()},
        )
        remedy = "measure an output that is never negative, as the probability of a class is"
        of_class = {
            f"the clean score is small against the change of the score when the whole image is replaced; {remedy}": (
                clean < NEAR_ZERO * (clean - self.replaced).abs()
            ),
            f"the clean score is negative, so that nothing can be relative to it; {remedy}": clean < 0,
            f"the clean score is zero, so that nothing can be relative to it; {remedy}": clean == 0,
        }
        broken = ~(clean + torch.where(clean == 0, 0, scores.values)).isfinite()
        for reason, where in {**({} if self.quantity else of_class), "the network answered NaN or infinity": broken}.items():
            scores = masked(scores, where, reason)
        return scores
