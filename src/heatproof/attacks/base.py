"""What every attack is: a change of an image that the network's decision does not notice.

    |x'_c − x_c| ≤ ε (upper_c − lower_c),    lower ≤ x' ≤ upper,    argmax z(x') = argmax z(x)

x the image, ε the level, z the network's outputs. Where a pixel of x itself is out of bounds, its own value is the bound. Every
image is attacked, also one that the network gets wrong; with one output there is no decision to keep. Where nothing is found that
keeps the decision, the image is NaN. What is random comes from (seed, image), so nothing depends on batch-mates.

Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019.
Differs from the paper: ε is a share of the legal range of each channel, the same for every network (their 8 of 255 is 0.031).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heatproof.core.errors import SettingsError, TensorError
from heatproof.models.model import Model
from heatproof.numerics.bounds import Bounds
from heatproof.passes.forward import raw_outputs
from heatproof.perturb.changes.base import Change, ChangeContext
from heatproof.perturb.draws import Draws


@dataclass(frozen=True, eq=False)
class AttackCase:
    """The images of one call.

    model   the caller's own module, without any accelerated copy, which has no second derivatives.
    label   `[b]` the network's decision on the clean images.
    """

    model: Model
    images: Float[Tensor, "b c h w"]
    bounds: Bounds
    target: Int[Tensor, " b"]
    label: Int[Tensor, " b"]
    draws: Draws

    def moved(self, x: Float[Tensor, "b c h w"], step: Float[Tensor, "b c h w"], level: float) -> Float[Tensor, "b c h w"]:
        """X moved by a step in units of the legal range, and brought back to where it may be at this level."""
        lower, upper = self.bounds.like(x)
        reach = level * (upper - lower)
        least = torch.maximum(self.images - reach, torch.minimum(lower, self.images))
        most = torch.minimum(self.images + reach, torch.maximum(upper, self.images))
        return torch.minimum(torch.maximum(x + (upper - lower) * step, least), most)

    def keeps(self, x: Float[Tensor, "b c h w"]) -> Bool[Tensor, " b"]:
        """Whether the decision is what it was. Cost: one forward row an image."""
        return raw_outputs(self.model, x).argmax(1) == self.label

    def signs(self, stream: str, index: int) -> Float[Tensor, "b c h w"]:
        """−1 or 1, each as likely, for every pixel and channel."""
        return (self.draws.uniform(stream, index, self.images.shape[1:]) < 0.5).to(self.images) * 2 - 1


class Attack(Change, ABC):
    """The image that keeps the decision and differs by no more than the level: a share ε of each channel's legal range."""

    unit: ClassVar[str] = "largest change of a pixel, as a share of the legal range"

    def __call__(self, at: ChangeContext, levels: Sequence[float]) -> list[Float[Tensor, "b c h w"]]:
        """Attacked images for each ε, NaN where the decision cannot be kept.

        Raises:
            SettingsError: A level that is no share.
            TensorError: What is no image.
        """
        if not all(0 <= level <= 1 for level in levels):
            raise SettingsError(f"levels of {self.name}: expected shares of the legal range, from 0 to 1, got {list(levels)}")
        if at.images.ndim != 4:
            raise TensorError(f"{self.name}: expected images [b, c, h, w], got {list(at.images.shape)}")
        model: Model = at.model.with_(engine=None, plan="plain")
        with torch.inference_mode(False), torch.no_grad(), model.running():
            images = at.images.detach().clone()
            label = raw_outputs(model, images).argmax(1)
            case = AttackCase(model, images, at.bounds, at.target.clone(), label, Draws.for_images(at.seed, images))
            return self.attacked(case, levels)

    @abstractmethod
    def attacked(self, case: AttackCase, levels: Sequence[float]) -> list[Float[Tensor, "b c h w"]]:
        """The images at each level."""
