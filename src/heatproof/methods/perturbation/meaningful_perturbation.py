"""Meaningful perturbation: the smallest smooth mask that deletes what the score depends on, or that preserves it.

    deletion      m = argmin  E_T s(z) + λ Σ_u |1 − m_u| + μ Σ_u Σ_v∈{right of u, below u} |m_v − m_u|^β,    A = (1 − U(m)) / c
    preservation  m = argmin −E_T s(z) + λ Σ_u |m_u|     + μ Σ_u Σ_v∈{right of u, below u} |m_v − m_u|^β,    A = U(m) / c

    z = U(m) ⊙ T(x) + (1 − U(m)) ⊙ T(blurred x),    s(z) = (f(z) − f(blurred x)) / |f(x) − f(blurred x)|

m the mask on a coarse grid with cells u, U(m) its copy on all pixels (each takes its cell's value, and the whole is blurred), T
a random shift of a few pixels, c the number of channels, which share the mask equally. The descent begins at the smallest blurred
disc in the middle of the image that takes away, or keeps, 99 % of the score. A says *where* the network looks, and no more: it has
no sign, and its values are shares of presence, not of the score.

Cost: 38 forward passes, and one forward and one backward pass for each step.
Source: Fong & Vedaldi, "Interpretable explanations of black boxes by meaningful perturbation", ICCV 2017; settings of their code.
Differs from the paper because s is the score relative to that of the image and of the blurred image, so that λ and μ mean the same
for logits and for probabilities (for a probability that falls from 1 to 0 it is the paper's); and because lengths are shares of the
image, so that they mean the same for images of any size.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from heatproof.methods.base import Case, Explanation, Method
from heatproof.numerics.wide import wide_type
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.learned_masks import NO_ERROR, LearnedMasks, mask_scores, score_weights, shift_ranges
from heatproof.passes.masked_scores import MaskedInputs
from heatproof.perturb.fills.base import ImageFill
from heatproof.perturb.fills.blurred import Blurred
from heatproof.perturb.masks.blurred_cells import BlurredCells, blurred_discs

SIDE = 224
"""The side of the images that the published lengths are pixels of."""
RADII = tuple(radius / SIDE for radius in range(0, 171, 5))
DISC_SIGMA = 10 / SIDE
REACHED = 0.99
"""The share of the score that the disc at the beginning takes away or keeps."""
LEFT = 0.5
"""The share of the score that a mask must take away or keep; a note says where it does not."""


class MeaningfulPerturbation(Method):
    """The smallest smooth mask that deletes what the score depends on, or that preserves it.

    preserve  whether the mask preserves the score; by default it deletes what the score depends on.
    steps     the number of steps of the descent, 300 as published.
    rate      the rate of Adam, 0.1 as published.
    l1        λ, the price of a cell that is deleted, or preserved; 1e-4 as published. Larger prices give smaller masks.
    tv        μ, the price of total variation, 0.01 as published. Without it, masks are scattered.
    beta      the exponent β of total variation, 3 as published.
    cells     the number of cells of the coarse grid along each axis, 28 as published. An axis of fewer pixels has a cell for each.
    blur      the standard deviation of the blur of U, as a share of the side; 5 of 224 pixels as published.
    jitter    the range of the random shifts, as a share of the side, at least a pixel; 4 of 224 pixels as published. 0 = none.
    fill      what takes the place of deleted pixels: the image, blurred by 10 of 224 pixels as published. A random fill is drawn
              anew at each step.

    The details of a map say the `area` that is deleted, or preserved; the `clean_score` f(x), the `fill_score` of the fill, and the
    `masked_score` with the mask.

    >>> import torch
    >>> from heatproof.methods import MeaningfulPerturbation
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = MeaningfulPerturbation(steps=5).attribute(model, images, target=3)
    >>> attribution.values.shape, attribution.passes.forward, attribution.passes.backward
    (torch.Size([2, 1, 28, 28]), 86, 10)
    >>> sorted(attribution.details)
    ['area', 'clean_score', 'fill_score', 'masked_score']
    """

    needs_images: ClassVar[bool] = True
    zero_because: ClassVar[str] = (
        "nothing is worth deleting or preserving: the fill leaves the score as it is, or every change raises it, or the price `l1` "
        "is too high"
    )
    cite: ClassVar[str] = "Fong & Vedaldi, ICCV 2017"

    preserve: bool = False
    steps: PositiveInt = 300
    rate: PositiveFloat = 0.1
    l1: NonNegativeFloat = 1e-4
    tv: NonNegativeFloat = 0.01
    beta: float = Field(default=3.0, ge=1)
    cells: PositiveInt = 28
    blur: NonNegativeFloat = 5 / SIDE
    jitter: float = Field(default=4 / SIDE, ge=0, lt=1)
    fill: ImageFill = Blurred(sigma=10 / SIDE)

    @property
    def stochastic(self) -> bool:
        return self.jitter > 0 or self.fill.stochastic

    def explain(self, case: Case) -> Explanation:
        """There is no expected sum and no error, and a note says so."""
        c, h, w = case.images.shape[1:]
        grid = BlurredCells((h, w), self.cells, self.blur)
        inputs = MaskedInputs(case.model, case.images, case.target, case.draws, self.fill)
        clean, absent = inputs.clean().double(), inputs.absent().double()
        weights = score_weights(clean, absent, case.images.dtype)
        learned = LearnedMasks(inputs, grid.pixels, self._penalty, -1 if self.preserve else 1, shift_ranges(self.jitter, h, w))
        start = self._start(inputs, grid, absent, weights)
        masks = learned.descended(start[:, None], weights, self.steps, self.rate)
        scores = learned.scores(masks)[:, 0]
        maps = self._marked(grid.pixels(masks[:, 0])) * (weights > 0).view(-1, 1, 1)
        values = (maps[:, None] / c).expand(case.images.shape).to(case.images.dtype).clone()
        details = {"area": maps.mean((1, 2)), "clean_score": clean, "fill_score": absent, "masked_score": scores}
        unknown = torch.full_like(clean, torch.nan, dtype=wide_type(case.images.dtype))
        notes = tuple(self._finding(left) for left in ((scores - absent) * weights).tolist())
        return Explanation(values, unknown, unknown, torch.full_like(case.target, self.steps), notes, details)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(3 + len(RADII) + self.steps, self.steps, clean=1)

    def _marked(self, masks: Tensor) -> Tensor:
        """What a mask deletes, or preserves."""
        return masks if self.preserve else 1 - masks

    def _penalty(self, masks: Tensor, _pixels: Tensor, _k: list[int], _step: int) -> Float[Tensor, " r"]:
        across, down = masks.diff(dim=2).abs() ** self.beta, masks.diff(dim=1).abs() ** self.beta
        return self.l1 * self._marked(masks).abs().sum((1, 2)) + self.tv * (across.sum((1, 2)) + down.sum((1, 2)))

    def _start(self, inputs: MaskedInputs, grid: BlurredCells, absent: Tensor, weights: Tensor) -> Float[Tensor, "b i j"]:
        """The smallest disc that reaches its aim, else the one that comes nearest; no disc where the fill changes nothing."""
        discs = self._marked(blurred_discs(grid.lengths, RADII, DISC_SIGMA).to(inputs.images.device))
        scores = mask_scores(inputs, len(RADII), lambda _, k: discs[k])
        left = (scores - absent[:, None]) * weights[:, None]
        reached = left >= REACHED if self.preserve else left <= 1 - REACHED
        nearest = left.argmax(1) if self.preserve else left.argmin(1)
        first = torch.where(reached.any(1), reached.double().argmax(1), nearest).masked_fill(weights == 0, 0)
        return F.adaptive_avg_pool2d(discs, grid.grid)[first]

    def _finding(self, left: float) -> str:
        """What the mask did not achieve, from the score that it leaves as a share of what the fill takes away."""
        failed = left < LEFT if self.preserve else left > LEFT
        what = "keeps less" if self.preserve else "takes away less"
        return f"the mask {what} than half of what the fill takes away of the score; {NO_ERROR}" if failed else NO_ERROR
