"""SmoothGrad and its variants: a method averaged over noisy copies of the image.

    mean      A(x) = 1/n Σ_k M(x + ε_k)
    square    A(x) = 1/n Σ_k M(x + ε_k)²
    variance  A(x) = 1/(n−1) Σ_k (M(x + ε_k) − mean)²

M is the map of any method, ε_k noise, and n the number of noisy copies; squares are taken value by value. The variance (VarGrad)
is computed by Welford's update, since E[M²] − E[M]² cancels in single precision. Every copy is explained for the class of the
unchanged image. The noisy copies of all images form one stream of passes through M in chunks; memory holds one chunk and the
result.

Cost: n times the cost of the method; n is at most `samples` with a tolerance.
Source: Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017; variance: Adebayo et al. 2018; square: Hooker et al.
2019.
Differs from the paper because any method is averaged, not only the gradient, and because the signed map is kept.
"""

from collections.abc import Sequence
from functools import partial, reduce
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.methods.base import Case, Explanation, MapTerms, Method
from heatproof.numerics.running_moments import RunningMoments
from heatproof.numerics.wide import wide, wide_type
from heatproof.passes.adaptive_sampling import AdaptiveSampling
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.perturb.noises.base import Noise
from heatproof.perturb.noises.gaussian import Gaussian


class SmoothGrad(Method):
    """The mean, mean square or variance of the maps of a method under noise.

    method     the method whose maps are averaged: by default the gradient.
    noise      the noise that is added to the images: by default Gaussian with σ = 0.15 of each image's own range (maximum −
               minimum), within the 10 % to 20 % that Smilkov et al. recommend.
    samples    the number n of noisy copies of an image, 50 by default as in Smilkov et al.; with a tolerance, the most.
    moment     the moment of the maps: `mean` (SmoothGrad, Smilkov et al. 2017), `square` (Hooker et al. 2019) or `variance`
               (VarGrad, Adebayo et al. 2018), which needs at least two samples.
    tolerance  the relative standard error at which an image needs no more copies; None uses exactly `samples`.

    >>> import torch
    >>> from heatproof.methods import SmoothGrad
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = SmoothGrad(method="gradient", samples=10).attribute(model, images, target=3)
    >>> attribution.values.shape, attribution.probes
    (torch.Size([2, 1, 28, 28]), tensor([10, 10]))
    >>> squared = SmoothGrad(moment="square", samples=10).attribute(model, images, target=3)
    >>> bool((squared.values >= 0).all())
    True
    """

    label: ClassVar[str] = "SmoothGrad"
    zero_because: ClassVar[str] = "the maps of the noisy copies are zero, they cancel, or for a variance they are equal"
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

    @property
    def class_discriminative(self) -> bool:
        return self.method.class_discriminative

    def explain(self, case: Case) -> Explanation:
        sampling = AdaptiveSampling(self.samples, self.noise.group, self.tolerance)
        states = [RunningMoments.like(case.images, spread=self.moment == "variance") for _ in range(sampling.parts)]
        expected_sum = torch.zeros_like(case.target, dtype=wide_type(case.images.dtype))

        def compute(sample: list[int], k: list[int]) -> Explanation:
            return self.method.explain(self._noisy(case, sample, k))

        def add(sample: list[int], k: list[int], explanation: Explanation) -> None:
            maps = wide(explanation.values).square() if self.moment == "square" else explanation.values
            for row, (i, index) in enumerate(zip(sample, k, strict=True)):
                states[sampling.part(index)].add(i, maps[row])
                expected_sum[i] += explanation.expected_sum[row] / self.samples

        def parts(still: list[int], drawn: int) -> Tensor:
            return torch.stack([self._moment(state)[still] * (state.count[still[0]] / drawn) for state in states])

        used, error = sampling.run(case.model, case.images, compute, add, parts)
        values = self._moment(reduce(RunningMoments.merge, states))
        expected_sum = expected_sum * (self.samples / used) if self.moment == "mean" else torch.full_like(expected_sum, torch.nan)
        return Explanation(values.to(case.images.dtype), expected_sum, error, used, sampling.notes(used, error))

    def _noisy(self, case: Case, sample: list[int], k: list[int]) -> Case:
        images, draws = case.images[sample], case.draws.rows(sample)
        noise = self.noise(images, case.model.bounds, draws, k)
        return Case(case.model, images + noise, case.target[sample], draws.child("smooth_grad", k), case.seed)

    def terms(self) -> MapTerms:
        """The terms of the averaged method at each noisy copy; the noise is that of the clean image."""
        if self.moment != "mean" or self.tolerance is not None:
            raise SettingsError(f"expected moment='mean' and no tolerance, for a sum that can be differentiated, got {self}")
        return MapTerms(self.samples * self.method.terms().n, self._term)

    def _term(self, clean: Case, x: Tensor, k: Sequence[int]) -> Tensor:
        inner = self.method.terms()
        noisy = self._noisy(clean, list(range(len(clean))), [i // inner.n for i in k])
        return inner.at(noisy, x + (noisy.images - clean.images), [i % inner.n for i in k]) / self.samples

    def _moment(self, state: RunningMoments) -> Tensor:
        return state.variance if self.moment == "variance" else state.mean

    def cost(self, image_shape: ImageShape) -> PassCount:
        inner = self.method.cost(image_shape)
        return PassCount(self.samples * inner.forward, self.samples * inner.backward)
