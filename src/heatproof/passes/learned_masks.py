"""Masks that are learned for each image by gradient descent.

    m ← clip(m − Adam(∂/∂m [s f(z) + penalty(m, U(m))]), 0, 1),    z = U(m) ⊙ T(x) + (1 − U(m)) ⊙ T(fill)

m the mask on a coarse grid, U(m) the mask of every pixel, x the image, f the explained output, s the weight and sign of the score,
T a small random shift of image and fill, which the mask does not follow. Each mask is descended by itself: its slopes, its running
means and its shifts depend on its image, so that it is the same in any batch and chunk up to rounding. Descents can amplify
rounding where the score has kinks.

Cost: one forward and one backward pass for each mask and step. Of an image, a mask of pixels is in memory for each pass of a chunk.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.numerics.adam import Adam
from heatproof.passes.gradient import gradient
from heatproof.passes.masked_scores import MaskedInputs, masked_scores
from heatproof.passes.variants import variants_in_chunks

ROUNDING = 16
"""The difference of two scores, in units of rounding, that counts as none."""
SHIFTS = "mask jitter"
NO_ERROR = "no error is stated: how far a descent is from its limit is not known"
"""The note of a learned mask."""


@dataclass(frozen=True, eq=False)
class LearnedMasks:
    """The images, and how their masks are made and judged.

    inputs    the images, the fill and the network.
    pixels    `pixels(masks [r, i, j])` gives the masks of all pixels `[r, h, w]`; it is differentiable.
    penalty   `penalty(masks, pixels, k, step)` gives what is added to the weighted score of each mask `[r]`; `k[r]` is the number
              of the mask among those of its image.
    sign      1 for masks that make the score small, −1 for masks that make it large.
    jitter    the range of random shifts along each axis, in pixels.
    """

    inputs: MaskedInputs
    pixels: Callable[[Float[Tensor, "r i j"]], Float[Tensor, "r h w"]]
    penalty: Callable[[Tensor, Tensor, list[int], int], Float[Tensor, " r"]]
    sign: int
    jitter: tuple[int, int] = (0, 0)

    def descended(
        self, masks: Float[Tensor, "b n i j"], weights: Float[Tensor, " b"], steps: int, rate: float
    ) -> Float[Tensor, "b n i j"]:
        """The masks after some steps, in float64.

        Args:
            masks: n masks of each image to begin with, in float64.
            weights: the factor of each image's score.
            steps: the number of steps.
            rate: the largest change of a value in a step, about.
        """
        descent, inputs = Adam(rate), self.inputs
        with torch.inference_mode(False), torch.enable_grad():
            masks, weights, target = masks.clone(), weights.clone(), inputs.target.clone()
            for step in range(steps):
                slopes = torch.zeros_like(masks)

                def compute(image: list[int], k: list[int], masks: Tensor = masks, step: int = step) -> Tensor:
                    at = masks[image, k].requires_grad_()
                    pixels = self.pixels(at)
                    z = self._shifted_inputs(image, pixels, step)
                    slope, _ = gradient(inputs.model, z.detach(), target[image])
                    factor = (self.sign * weights[image]).view(-1, 1, 1, 1)
                    total = (z.double() * slope.double() * factor).sum() + self.penalty(at, pixels, k, step).sum()
                    (found,) = torch.autograd.grad(total, at)
                    return found

                for image, k, found in variants_in_chunks(inputs.model, inputs.images, masks.shape[1], compute, "masked gradient"):
                    slopes[image, k] = found
                masks = descent.step(masks, slopes).clamp(0, 1)
        return masks

    def scores(self, masks: Float[Tensor, "b n i j"]) -> Float[Tensor, "b n"]:
        """The score with each mask. Cost: one forward pass a mask."""
        return mask_scores(self.inputs, masks.shape[1], lambda image, k: self.pixels(masks[image, k]))

    def _shifted_inputs(self, image: list[int], pixels: Tensor, step: int) -> Tensor:
        """The inputs of one step, in the graph of the masks."""
        inputs, nothing = self.inputs, torch.zeros(len(image), 1, 1, 1, dtype=torch.bool, device=pixels.device)
        fills = inputs.filled(image, nothing, [step] * len(image)).clone()
        images = inputs.images[image].clone()  # a copy made here is an ordinary tensor, which autograd can save
        if any(self.jitter):
            uniform = inputs.draws.rows(image).on_cpu().uniform(SHIFTS, step, (2,)).to(pixels.device)
            span = torch.tensor(self.jitter, device=pixels.device)
            by = (uniform * (span + 1)).long() - span // 2
            images, fills = _shifted(images, by), _shifted(fills, by)
        return torch.lerp(fills, images, pixels[:, None].to(images.dtype))


def mask_scores(
    inputs: MaskedInputs, n: int, pixels: Callable[[list[int], list[int]], Float[Tensor, "r h w"]]
) -> Float[Tensor, "b n"]:
    """The scores of n masks of each image; `pixels(image, k)` gives mask k[r] of image[r]. Cost: one forward pass a mask."""
    found = torch.zeros(len(inputs.images), n, dtype=torch.float64, device=inputs.images.device)
    for chunk in masked_scores(inputs, n, lambda image, k: pixels(image, k)[:, None].to(inputs.images.dtype)):
        found[chunk.image, chunk.k] = chunk.scores.double()
    return found


def score_weights(clean: Float[Tensor, " b"], absent: Float[Tensor, " b"], dtype: torch.dtype) -> Float[Tensor, " b"]:
    """1 / |f(x) − f(fill)|, by which a score that falls from that of the image to that of the fill changes by one; 0 where the two
    differ by no more than rounding in the type of the images.
    """
    span, size = (clean - absent).abs(), torch.maximum(clean.abs(), absent.abs())
    least = ROUNDING * torch.finfo(dtype).eps * size
    return torch.where(span > least, 1 / span.clamp_min(torch.finfo(torch.float64).tiny), 0.0)


def shift_ranges(jitter: float, h: int, w: int) -> tuple[int, int]:
    """The range of random shifts down and to the right in pixels, from a share of the shorter side: at least 1, or 0 for none.

    >>> from heatproof.passes.learned_masks import shift_ranges
    >>> shift_ranges(0.02, 224, 300), shift_ranges(0.02, 28, 28), shift_ranges(0, 28, 28)
    ((4, 4), (1, 1), (0, 0))
    """
    most = max(1, round(jitter * min(h, w))) if jitter else 0
    return min(most, h - 1), min(most, w - 1)


def _shifted(images: Float[Tensor, "r c h w"], by: Int[Tensor, "r 2"]) -> Float[Tensor, "r c h w"]:
    """Images moved down and to the right by as many pixels; what enters repeats the border."""
    for axis in (2, 3):
        n = images.shape[axis]
        at = (torch.arange(n, device=images.device) - by[:, axis - 2, None]).clamp(0, n - 1)
        shape = (len(by), 1, n, 1) if axis == 2 else (len(by), 1, 1, n)
        images = images.gather(axis, at.view(shape).expand(images.shape))
    return images
