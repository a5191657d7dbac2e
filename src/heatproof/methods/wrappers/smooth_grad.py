"""SmoothGrad: a method averaged over noisy copies of the image.

    mean      A(x) = 1/n Σ_k M(x + ε_k)
    square    A(x) = 1/n Σ_k M(x + ε_k)²
    variance  A(x) = 1/(n−1) Σ_k (M(x + ε_k) − mean)²      (VarGrad; by Welford's update, since E[M²] − E[M]² cancels)

M any method, ε_k noise, squares per value. The target stays the clean image's. Noisy copies of all images are one stream of rows
that passes through M in chunks; memory is one chunk and the result.

Cost: n times the method's; n is at most `samples` with a tolerance.
Source: Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017; variance: Adebayo et al. 2018; square: Hooker
et al. 2019.
Differs from the paper: any method is averaged, not only the gradient, and the signed map is kept.
"""

from functools import partial, reduce
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from heatproof.methods.base import Case, Explanation, Method
from heatproof.numerics.welford import Welford
from heatproof.passes.adaptive_sampling import AdaptiveSampling
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.perturb.noises.base import Noise
from heatproof.perturb.noises.gaussian import Gaussian


class SmoothGrad(Method):
    """Mean, mean square or variance of a method's maps under noise.

    method     what is averaged.
    noise      what is added to the images; its σ is relative to each image's own range by default, as published.
    samples    noisy copies an image; with a tolerance, at most.
    moment     which moment of the maps; the variance needs at least two samples.
    tolerance  relative standard error at which an image has copies enough; None = exactly `samples`.
    """

    label: ClassVar[str] = "SmoothGrad"
    cite: ClassVar[str] = "Smilkov et al., arXiv 1706.03825, 2017"

    method: Method = Field(default_factory=partial(Method.from_dict, "gradient"))
    noise: Noise = Gaussian(sigma=0.15, relative_to="image")
    samples: PositiveInt = 50
    moment: Literal["mean", "square", "variance"] = "mean"
    tolerance: PositiveFloat | None = None

    @model_validator(mode="after")
    def _variance_needs_two(self) -> Self:
        if self.moment == "variance" and self.samples < 2:
            raise ValueError("samples: expected at least 2 for moment='variance', got 1")
        return self

    @property
    def stochastic(self) -> bool:
        return True

    def explain(self, case: Case) -> Explanation:
        rounds = AdaptiveSampling(self.samples, self.noise.group, self.tolerance)
        states = [Welford.like(case.images, spread=self.moment == "variance") for _ in range(rounds.parts)]
        claim = torch.zeros_like(case.target, dtype=case.images.dtype)

        def compute(sample: list[int], k: list[int]) -> Explanation:
            return self.method.explain(self._noisy(case, sample, k))

        def add(sample: list[int], k: list[int], answer: Explanation) -> None:
            maps = answer.values.square() if self.moment == "square" else answer.values
            for row, (i, index) in enumerate(zip(sample, k, strict=True)):
                states[rounds.part(index)].add(i, maps[row])
                claim[i] += answer.claim[row] / self.samples

        def parts(still: list[int], drawn: int) -> Tensor:
            return torch.stack([self._moment(state)[still] * (state.count[still[0]] / drawn) for state in states])

        used, error = rounds.run(case.model, case.images, compute, add, parts)
        values = self._moment(reduce(Welford.merge, states))
        claim = claim * (self.samples / used) if self.moment == "mean" else torch.full_like(claim, torch.nan)
        return Explanation(values, claim, error, used, rounds.notes(used, error))

    def _noisy(self, case: Case, sample: list[int], k: list[int]) -> Case:
        images, draws = case.images[sample], case.draws.rows(sample)
        noise = self.noise(images, case.model.bounds, draws, k)
        return Case(case.model, images + noise, case.target[sample], draws.child("smooth_grad", k), case.seed)

    def _moment(self, state: Welford) -> Tensor:
        return state.variance if self.moment == "variance" else state.mean

    def cost(self, image_shape: ImageShape) -> PassCount:
        inner = self.method.cost(image_shape)
        return PassCount(self.samples * inner.forward, self.samples * inner.backward)
