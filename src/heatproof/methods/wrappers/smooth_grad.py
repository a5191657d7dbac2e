"""SmoothGrad: a method averaged over noisy copies of the image.

    mean      A(x) = 1/n Σ_k M(x + ε_k)
    square    A(x) = 1/n Σ_k M(x + ε_k)²
    variance  A(x) = 1/(n−1) Σ_k (M(x + ε_k) − mean)²      (VarGrad; by Welford's update, since E[M²] − E[M]² cancels)

M any method, ε_k noise, squares per value. The target stays the clean image's. Noisy copies of all images are one stream of rows
that passes through M in chunks; memory is one chunk and the result.

Cost: n times the method's.
Source: Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017; variance: Adebayo et al. 2018; square: Hooker
et al. 2019.
Differs from the paper: any method is averaged, not only the gradient, and the signed map is kept.
"""

from functools import partial
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from heatproof.methods.base import Case, Explanation, Method
from heatproof.numerics.welford import Welford
from heatproof.passes.counting import PassCount
from heatproof.passes.forward import chunks
from heatproof.passes.probes import split_half_error
from heatproof.perturb.noises.base import Noise
from heatproof.perturb.noises.gaussian import Gaussian


class SmoothGrad(Method):
    """Mean, mean square or variance of a method's maps under noise.

    method   what is averaged.
    noise    what is added to the images; its σ is relative to each image's own range by default, as published.
    samples  noisy copies an image.
    moment   which moment of the maps; the variance needs at least two samples.
    """

    label: ClassVar[str] = "SmoothGrad"
    cite: ClassVar[str] = "Smilkov et al., arXiv 1706.03825, 2017"

    method: Method = Field(default_factory=partial(Method.from_dict, "gradient"))
    noise: Noise = Gaussian(sigma=0.15, relative_to="image")
    samples: PositiveInt = 50
    moment: Literal["mean", "square", "variance"] = "mean"

    @model_validator(mode="after")
    def _variance_needs_two(self) -> Self:
        if self.moment == "variance" and self.samples < 2:
            raise ValueError("samples: expected at least 2 for moment='variance', got 1")
        return self

    @property
    def stochastic(self) -> bool:
        return True

    def explain(self, case: Case) -> Explanation:
        halves = [Welford.like(case.images), Welford.like(case.images)]
        claim = torch.zeros_like(case.target, dtype=case.images.dtype)
        for rows in chunks(len(case) * self.samples, case.model.chunk):
            sample, k = [row // self.samples for row in rows], [row % self.samples for row in rows]
            answer = self.method.explain(self._noisy(case, sample, k))
            maps = answer.values.square() if self.moment == "square" else answer.values
            for row, (i, index) in enumerate(zip(sample, k, strict=True)):
                halves[self.noise.group(index) % 2].add(i, maps[row])
                claim[i] += answer.claim[row] / self.samples
        values = self._moment(halves[0].merge(halves[1]))
        shares = torch.stack([self._moment(half) * half.count[0] / self.samples for half in halves])
        error = split_half_error(shares, {self.noise.group(k) for k in range(self.samples)})
        return Explanation(values, claim if self.moment == "mean" else torch.full_like(claim, torch.nan), error)

    def _noisy(self, case: Case, sample: list[int], k: list[int]) -> Case:
        images, draws = case.images[sample], case.draws.rows(sample)
        noise = self.noise(images, case.model.bounds, draws, k)
        return Case(case.model, images + noise, case.target[sample], draws.child("smooth_grad", k))

    def _moment(self, state: Welford) -> Tensor:
        return state.variance if self.moment == "variance" else state.mean

    def cost(self) -> PassCount:
        inner = self.method.cost()
        return PassCount(self.samples * inner.forward, self.samples * inner.backward)
