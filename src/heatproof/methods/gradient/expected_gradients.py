"""Expected gradients, also known as GradientSHAP.

    A(x) = E_{b, α} [(x − b) ⊙ ∇f(b + α (x − b))],    α ~ U[0, 1], b from a distribution of baselines

x is the image, f the explained output, b a random baseline and α a random position on the line from b to x. The expectation is
estimated with N baselines and M positions on the line of each, one in each of M equal strata of [0, 1]. Adaptive positions are
drawn more often where the gradients of the image have been large, and weighted by one over their density (see
`passes/path_density.py`), which gives the same expectation at fewer passes. The method is complete in expectation: Σ_i A_i ≈ f(x) −
mean_n f(b_n).

Cost: N M forward and backward passes an image, and N + 1 forward passes for the expected sum; with a tolerance, N is at most
`baselines`.
Source: Erion et al., "Improving performance of deep learning models with axiomatic attribution priors and expected gradients",
Nature Machine Intelligence 2021; Lundberg & Lee, NeurIPS 2017 (GradientSHAP).
Differs from the paper because α is stratified and every baseline is used equally often, which lowers the variance at equal cost;
and because no Gaussian noise is added to the images (wrap the method in `smooth_grad` for that).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor

from heatproof.methods.base import FLAT, Axiom, Case, Explanation, SampledMethod, clean_scores
from heatproof.models.model import Model
from heatproof.numerics.wide import wide, wide_type
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import mean_fill_score
from heatproof.passes.path_density import PathDensity
from heatproof.passes.probes import Probe, ProbeSource, WeightedGradients
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.uniform import Uniform


class ExpectedGradients(SampledMethod):
    """Integrated gradients averaged over random baselines, with random positions on each path.

    baseline   the distribution of baselines: `uniform` colours by default, or `Reference(images=…)` for a background set.
    baselines  the number N of baselines drawn for each image; with a tolerance, the most.
    strata     the number M of random positions on the path of each baseline, one per stratum of [0, 1].
    positions  how positions are drawn: `uniform` on the path, or `adaptive`, with importance sampling by the gradients of earlier
               draws from the ninth baseline on.
    tolerance  the relative standard error at which an image needs no more baselines; None uses exactly `baselines`.

    >>> import torch
    >>> from heatproof.methods import ExpectedGradients
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = ExpectedGradients(baseline="uniform", baselines=8, strata=2).attribute(model, images, target=3)
    >>> attribution.values.shape, attribution.probes
    (torch.Size([2, 1, 28, 28]), tensor([16, 16]))
    >>> attribution.error.shape  # the relative standard error over baselines
    torch.Size([2])
    """

    zero_because: ClassVar[str] = (
        f"the gradient is zero wherever the image differs from the baselines, if it does anywhere ({FLAT})"
    )
    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.COMPLETE, Axiom.DUMMY, Axiom.LINEAR})
    cite: ClassVar[str] = "Erion et al., Nature Machine Intelligence 2021; Lundberg & Lee, NeurIPS 2017"

    baseline: Fill = Uniform()
    baselines: PositiveInt = 10
    strata: PositiveInt = 5
    positions: Literal["uniform", "adaptive"] = "uniform"

    @property
    def adaptive(self) -> bool:
        return self.tolerance is not None or self.positions == "adaptive"

    def n_probes(self) -> int:
        return self.baselines * self.strata

    def group(self, k: int) -> int:
        return k // self.strata

    def probe(self, model: Model, images: Tensor, draws: Draws, k: Sequence[int]) -> Probe:
        """Random points in the k-th stratum of the line from a random baseline to the image."""
        return self.probe_at(self.stratified(draws, k), model, images, draws, k)

    def stratified(self, draws: Draws, k: Sequence[int]) -> Float[Tensor, " r"]:
        """A position for each probe, uniform in the stratum of the probe, `[r]`."""
        exact = replace(draws, dtype=wide_type(draws.dtype))
        stratum = torch.tensor([i % self.strata for i in k], device=exact.device, dtype=exact.dtype)
        return (stratum + exact.uniform("alpha", k, ())) / self.strata

    def probe_at(
        self, alpha: Tensor, model: Model, images: Tensor, draws: Draws, k: Sequence[int], density: Tensor | None = None
    ) -> Probe:
        """The probes at the given positions; `density` is the density they were drawn with, None for uniform positions."""
        start = wide(self.baseline(images, model.bounds, draws, [self.group(i) for i in k]))
        path, axes = images - start, (-1, *[1] * (images.ndim - 1))
        rows = self.n_probes() if density is None else self.n_probes() * density.view(axes)
        return Probe(at=(start + alpha.view(axes) * path).to(images.dtype), weight=path / rows)

    def source(self) -> ProbeSource:
        return self if self.positions == "uniform" else _Adaptive(self, PathDensity())

    def conclude(self, case: Case, streamed: WeightedGradients) -> Explanation:
        """The expected sum is f(x) − mean f(b); the error is the standard error over baselines."""
        at_baselines = mean_fill_score(
            case.model, case.images, case.target, case.draws, self.baseline, streamed.probes // self.strata
        )
        return Explanation(streamed.values, clean_scores(case) - at_baselines, streamed.standard_error)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(self.n_probes() + self.baselines + 1, self.n_probes(), clean=1)


@dataclass(frozen=True)
class _Adaptive:
    """A source of probes for one call, whose positions follow the gradients of earlier probes."""

    method: ExpectedGradients
    positions: PathDensity

    def n_probes(self) -> int:
        return self.method.n_probes()

    def group(self, k: int) -> int:
        return self.method.group(k)

    def probe(self, model: Model, images: Tensor, draws: Draws, k: Sequence[int]) -> Probe:
        alpha, density = self.positions.at(draws.keys, self.method.stratified(draws, k))
        return self.method.probe_at(alpha, model, images, draws, k, density)

    def learn(self, draws: Draws, k: Sequence[int], sizes: Tensor) -> None:
        alpha, density = self.positions.at(draws.keys, self.method.stratified(draws, k))
        self.positions.learn(draws.keys, alpha, sizes * density)

    def renew(self) -> None:
        self.positions.renew()
