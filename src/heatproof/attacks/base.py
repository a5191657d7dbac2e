"""Attacks: small changes of an image that keep the network's decision.

    |x'_c − x_c| ≤ ε (upper_c − lower_c),    lower ≤ x' ≤ upper,    d(x') = d(x)

x the image, x' the attacked image, c a channel, ε the level, lower and upper the bounds of legal images, d the class that the
network decides for. Where a pixel of x itself is out of bounds, its own value takes the place of the bound. Every image is
attacked, including one that the network misclassifies; a network without classes has no decision to keep. Where no change keeps the
decision, the attacked image is NaN. Randomness comes from the seed and the image, so that no image depends on the others in its
batch.

Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019.
Differs from the paper because ε is a share of the legal range of each channel and so means the same for every network (their 8 of
255 is 0.031).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.models.classes import decision
from heatproof.models.model import Model
from heatproof.numerics.bounds import Bounds
from heatproof.passes.forward import raw_outputs
from heatproof.passes.inputs import check_images, check_needs_images
from heatproof.passes.network_checks import known_model
from heatproof.perturb.changes.base import Change, ChangeContext
from heatproof.perturb.draws import Draws


@dataclass(frozen=True, eq=False)
class AttackCase:
    """The inputs of one attack.

    model   the caller's own module; an accelerated copy has no second derivatives.
    images  `[b, c, h, w]` the clean images.
    bounds  the bounds of legal images.
    target  `[b]` the class that is explained for each image.
    label   `[b]` the network's decision on each clean image.
    draws   the random numbers of each clean image.
    """

    model: Model
    images: Float[Tensor, "b c h w"]
    bounds: Bounds
    target: Int[Tensor, " b"]
    label: Int[Tensor, " b"]
    draws: Draws

    def stepped(self, x: Float[Tensor, "b c h w"], step: Float[Tensor, "b c h w"], level: float) -> Float[Tensor, "b c h w"]:
        """The images x after a step in units of the legal range, clipped to the bounds and to the level's distance from clean."""
        lower, upper = self.bounds.like(x)
        reach = level * (upper - lower)
        least = torch.maximum(self.images - reach, torch.minimum(lower, self.images))
        most = torch.minimum(self.images + reach, torch.maximum(upper, self.images))
        return torch.minimum(torch.maximum(x + (upper - lower) * step, least), most)

    def decision_unchanged(self, x: Float[Tensor, "b c h w"]) -> Bool[Tensor, " b"]:
        """Whether the network's decision on x is that on the clean image. Cost: one forward pass for each image."""
        return decision(self.model, raw_outputs(self.model, x)) == self.label

    def signs(self, stream: str, index: int) -> Float[Tensor, "b c h w"]:
        """Random signs −1 and 1 of equal probability, for every pixel and channel."""
        return (self.draws.uniform(stream, index, self.images.shape[1:]) < 0.5).to(self.images) * 2 - 1


class Attack(Change, ABC):
    """A change that keeps the network's decision; its level ε is the largest change of a pixel as a share of the legal range."""

    needs_images: ClassVar[bool] = True
    unit: ClassVar[str] = "largest change of a pixel, as a share of the legal range"

    def check_fits(self, levels: Sequence[float], image_shape: tuple[int, ...]) -> None:
        if not all(0 <= level <= 1 for level in levels):
            raise SettingsError(f"levels of {self.name}: expected shares of the legal range, from 0 to 1, got {list(levels)}")

    def __call__(self, at: ChangeContext, levels: Sequence[float]) -> list[Float[Tensor, "b c h w"]]:
        """Attacked images for each ε, NaN where the decision cannot be kept.

        Raises:
            SettingsError: A level is not between 0 and 1.
            TensorError: The tensor does not hold images `[b, c, h, w]`.
        """
        self.check_fits(levels, tuple(at.images.shape[1:]))
        check_images(at.model, at.images)
        check_needs_images(self, at.images)
        known = known_model(at.model, at.images, gradients=True)
        model: Model = known.with_(engine=None, plan="plain")
        with torch.inference_mode(False), torch.no_grad(), model.running():
            images = at.images.detach().clone()
            label = decision(model, raw_outputs(model, images))
            case = AttackCase(model, images, at.bounds, at.target.clone(), label, Draws.for_images(at.seed, images))
            return self.attacked(case, levels)

    @abstractmethod
    def attacked(self, case: AttackCase, levels: Sequence[float]) -> list[Float[Tensor, "b c h w"]]:
        """The attacked images of a case, for each level in order."""
