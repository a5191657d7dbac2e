"""Extremal perturbation: for each of some areas, the mask of that area that keeps the score highest.

    m_a = argmax E_T s(z) − λ_t mean_i (vecsort(P(m))_i − r_a,i)²,    A = Σ_a P(m_a) / c

    z = P(m) ⊙ T(x) + (1 − P(m)) ⊙ T(blurred x),    s(z) = (f(z) − f(blurred x)) / |f(x) − f(blurred x)|

m a mask on a coarse grid, P(m) its smooth maximum on all pixels (`perturb/masks/smooth_max_cells.py`), T a random shift of a few
pixels, vecsort the values in ascending order, r_a zeros followed by ones for the share a of the pixels, c the number of channels,
which share the mask equally. λ_t = λ t / steps grows with the step t = 0, 1 …, so that at first the score decides on the order
of places, and in the end P(m) is a mask of area a and little else. A has no sign: it says in how many of the masks a place is.

Cost: 2 forward passes, and for each area one forward pass, and one forward and one backward pass for each step.
Source: Fong, Patrick & Vedaldi, "Understanding deep networks via extremal perturbations and smooth masks", ICCV 2019.
Differs from the paper because s is the score relative to that of the image and of the blurred image, so that λ means the same for
every network; because masks are descended by Adam, in fewer steps, and not by gradients with momentum; because λ grows from zero
and not from its published value on, since the values of a constant mask have no order yet; because images are blended with one
blurred image and not with a pyramid of them; and because images are shifted at random, and not mirrored.
"""

from typing import ClassVar, Self

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from heatproof.methods.base import Case, Explanation, Method
from heatproof.numerics.wide import wide_type
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.learned_masks import NO_ERROR, LearnedMasks, score_weights, shift_ranges
from heatproof.passes.masked_scores import MaskedInputs
from heatproof.perturb.fills.base import ImageFill
from heatproof.perturb.fills.blurred import Blurred
from heatproof.perturb.masks.smooth_max_cells import SmoothMaxCells

SIDE = 224
"""The side of the images that the published lengths are pixels of."""
START = 0.5
AREA_MISSED = 0.25
"""The relative difference from an area at which a note says that it was missed."""


class ExtremalPerturbation(Method):
    """For each of some areas, the mask of that area that keeps the score highest; the map is their sum.

    areas   the areas of the masks, as shares of the image, in ascending order; those of the paper's pointing game by default.
    steps   the number of steps of each descent; 800 steps of another descent as published.
    rate    the rate of Adam.
    weight  λ, what an area that is missed costs in the end.
    cells   the number of cells of the coarse grid along each axis, 32 as published (a cell is 7 of 224 pixels). An axis of fewer
            pixels has a cell for each.
    sigma   the width of the smallest blob, as a share of the side; 21 of 224 pixels as published.
    jitter  the range of the random shifts, as a share of the side, at least a pixel. 0 = none.
    fill    what takes the place of what is masked: the image, blurred by 20 of 224 pixels as published. A random fill is drawn
            anew at each step.

    The details of a map say, for each area, the `area` that was reached and the `masked_score`; and the `clean_score` f(x) and the
    `fill_score` of the fill.

    >>> import torch
    >>> from heatproof.methods import ExtremalPerturbation
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = ExtremalPerturbation(areas=(0.1, 0.2), steps=5).attribute(model, images, target=3)
    >>> attribution.values.shape, attribution.passes.forward, attribution.details["area"].shape
    (torch.Size([2, 1, 28, 28]), 28, torch.Size([2, 2]))
    """

    needs_images: ClassVar[bool] = True
    zero_because: ClassVar[str] = "the fill leaves the score as it is, so that no place is worth more than another"
    cite: ClassVar[str] = "Fong, Patrick & Vedaldi, ICCV 2019"

    areas: tuple[float, ...] = Field(default=(0.025, 0.05, 0.1, 0.2), min_length=1)
    steps: PositiveInt = 300
    rate: PositiveFloat = 0.05
    weight: PositiveFloat = 300.0
    cells: PositiveInt = 32
    sigma: PositiveFloat = 21 / SIDE
    jitter: float = Field(default=4 / SIDE, ge=0, lt=1)
    fill: ImageFill = Blurred(sigma=20 / SIDE)

    @model_validator(mode="after")
    def _areas_are_shares(self) -> Self:
        if list(self.areas) != sorted({*self.areas}) or not 0 < self.areas[0] <= self.areas[-1] < 1:
            raise ValueError(f"areas: expected shares between 0 and 1 in ascending order, got {self.areas}; such as (0.05, 0.1)")
        return self

    @property
    def stochastic(self) -> bool:
        return self.jitter > 0 or self.fill.stochastic

    def explain(self, case: Case) -> Explanation:
        """There is no expected sum and no error, and a note says so."""
        (b, c, h, w), n = case.images.shape, len(self.areas)
        grid = SmoothMaxCells((h, w), self.cells, self.sigma)
        inputs = MaskedInputs(case.model, case.images, case.target, case.draws, self.fill)
        clean, absent = inputs.clean().double(), inputs.absent().double()
        weights = score_weights(clean, absent, case.images.dtype)
        learned = LearnedMasks(inputs, grid.pixels, self._penalty, -1, shift_ranges(self.jitter, h, w))
        start = torch.full((b, n, *grid.grid), START, dtype=torch.float64, device=case.images.device)
        masks = learned.descended(start, weights, self.steps, self.rate)
        scores = learned.scores(masks)
        pixels = torch.stack([grid.pixels(of_area) for of_area in masks.unbind(1)], 1) * (weights > 0).view(-1, 1, 1, 1)
        values = (pixels.sum(1, keepdim=True) / c).expand(case.images.shape).to(case.images.dtype).clone()
        details = {"area": pixels.mean((2, 3)), "masked_score": scores, "clean_score": clean, "fill_score": absent}
        unknown, probes = (
            torch.full_like(clean, torch.nan, dtype=wide_type(case.images.dtype)),
            torch.full_like(case.target, n * self.steps),
        )
        return Explanation(values, unknown, unknown, probes, tuple(map(self._finding, details["area"].tolist())), details)

    def cost(self, image_shape: ImageShape) -> PassCount:
        n = len(self.areas)
        return PassCount(2 + n + n * self.steps, n * self.steps, clean=1)

    def _penalty(self, _masks: Tensor, pixels: Tensor, k: list[int], step: int) -> Float[Tensor, " r"]:
        """λ_t times the mean squared difference of a mask, in ascending order, from one of its area."""
        n = pixels[0].numel()
        wanted = torch.tensor([n - round(self.areas[each] * n) for each in k], device=pixels.device)
        ideal = (torch.arange(n, device=pixels.device) >= wanted[:, None]).to(pixels)
        missed = (pixels.flatten(1).sort(dim=1, stable=True).values - ideal).square().mean(1)
        return self.weight * step / self.steps * missed

    def _finding(self, reached: list[float]) -> str:
        """Which areas were not reached."""
        missed = [f"{a:g}" for a, found in zip(self.areas, reached, strict=True) if found and abs(found - a) > AREA_MISSED * a]
        return f"masks of other areas than {', '.join(missed)} were found; {NO_ERROR}" if missed else NO_ERROR
