"""Integrated gradients.

    A(x) = 1/N Σ_n (x − b_n) ⊙ Σ_m w_m ∇f(b_n + α_m (x − b_n)),    Σ_m w_m = 1

x is the image, b_n a baseline (there are N of them where the baseline is drawn at random), (α_m, w_m) are the nodes and weights
of a quadrature on [0, 1], and f is the explained output. The method is complete: Σ_i A_i = f(x) − mean_n f(b_n) up to the error
of the quadrature, which every attribution reports per image as `gap`.

Cost: N × nodes forward and backward passes an image, and forward passes for the end points that are no nodes of the quadrature (1
for f(x), N for f(b)); with a tolerance, at most N × steps forward and backward passes.
Source: Sundararajan, Taly & Yan, "Axiomatic attribution for deep networks", ICML 2017, eq. 1; noise baselines: Goh et al., ICPR
2020, eq. 3.
Differs from the paper because the default quadrature is Gauss–Legendre, whose gap at 32 nodes is under half that of the right
Riemann sum on EfficientNet-Lite0 (`quadrature="right_riemann"` is the paper's), and because the default baseline is black rather
than zero.
"""

from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from pydantic import PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from heatproof.methods.base import FLAT, Axiom, Case, Explanation, ProbeMethod, clean_scores
from heatproof.models.model import Model
from heatproof.numerics.quadrature import GaussLegendre, Quadrature
from heatproof.numerics.wide import wide, wide_type
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import mean_fill_score
from heatproof.passes.path_gradients import Accuracy, path_gradients
from heatproof.passes.probes import Probe, WeightedGradients
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.black import Black


class IntegratedGradients(ProbeMethod):
    """Gradients averaged along straight lines from a baseline to the image, times the difference of image and baseline.

    baseline       the start of the path: black by default, the lower bound of every channel. Of a random baseline, `baselines`
                   draws are made and their maps are averaged.
    baselines      the number N of draws of the baseline; it must be 1 for a baseline that is not random.
    quadrature     the nodes and weights on the path: by default 50 Gauss–Legendre nodes, within the 20 to 300 steps that the
                   paper recommends. With a tolerance, only its `steps` count, as the most passes that a path may take.
    tolerance      the relative completeness gap at which an image needs no more nodes; None uses the fixed quadrature.
    map_tolerance  the relative error of the map at which an image needs no more nodes, by an estimate that the true error stays
                   below on 95 % of images. It is a stricter demand than `tolerance`. If both are set, both are met. With one or
                   both, nodes of a trapezoid are added where completeness fails or the gradient turns (see
                   `passes/path_gradients.py`).

    >>> import torch
    >>> from heatproof.methods import IntegratedGradients
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = IntegratedGradients(baseline="black", quadrature={"steps": 20}).attribute(model, images, target=3)
    >>> torch.allclose(attribution.values.flatten(1).sum(1), attribution.expected_sum, atol=0.01)
    True
    >>> IntegratedGradients(tolerance=0.05).attribute(model, images, target=3).gap <= 0.05
    tensor([True, True])
    """

    zero_because: ClassVar[str] = f"the gradient is zero wherever the image differs from the baseline, if it does anywhere ({FLAT})"
    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.COMPLETE, Axiom.DUMMY, Axiom.LINEAR, Axiom.SYMMETRIC})
    cite: ClassVar[str] = "Sundararajan, Taly & Yan, ICML 2017"

    baseline: Fill = Black()
    baselines: PositiveInt = 1
    quadrature: Quadrature = GaussLegendre()
    tolerance: PositiveFloat | None = None
    map_tolerance: PositiveFloat | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.baseline.check_baselines(self.baselines)
        if self.adaptive and self.quadrature.steps < 2:
            raise ValueError(f"quadrature: expected at least 2 steps with a tolerance, for both ends, got {self.quadrature.steps}")
        return self

    @property
    def adaptive(self) -> bool:
        """Whether the number of nodes follows from a tolerance instead of the quadrature."""
        return self.tolerance is not None or self.map_tolerance is not None

    @property
    def stochastic(self) -> bool:
        return self.baseline.stochastic

    def n_probes(self) -> int:
        return self.baselines * self.quadrature.n_nodes

    def group(self, k: int) -> int:
        return k // self.quadrature.n_nodes

    def probe(self, model: Model, images: Tensor, draws: Draws, k: Sequence[int]) -> Probe:
        """Points on the line from a baseline to the image, weighted by their difference times the quadrature weight."""
        alphas, weights = (v.to(images.device, wide_type(images.dtype)) for v in self.quadrature.nodes())
        node = torch.tensor([i % len(alphas) for i in k], device=images.device)
        start = wide(self.baseline(images, model.bounds, draws, [self.group(i) for i in k]))
        path = images - start
        along = (-1, *[1] * (images.ndim - 1))
        at = torch.addcmul(start, alphas[node].view(along), path).to(images.dtype)
        return Probe(at, weight=path.mul_(weights[node].view(along) / self.baselines))

    def explain(self, case: Case) -> Explanation:
        if not self.adaptive:
            return self._stream(case, None)

        def start(sample: list[int], path: list[int]) -> Tensor:
            return self.baseline(case.images[sample], case.model.bounds, case.draws.rows(sample), path)

        accuracy = Accuracy(self.tolerance, self.map_tolerance, self.cost(tuple(case.images.shape[1:])).backward)
        path = path_gradients(case.model, case.images, case.target, start, self.baselines, accuracy)
        known = self.baselines > 1 or not self.stochastic  # one draw does not tell how far another lies
        error = path.error if known else torch.full_like(path.error, torch.nan)
        return Explanation(path.values, path.expected_sum, error, path.probes, path.notes)

    def conclude(self, case: Case, streamed: WeightedGradients) -> Explanation:
        """The expected sum is f(x) − mean f(b); the error is the standard error over random baselines, if there are several.

        End points that are nodes of the quadrature are not computed again.
        """
        alphas, _ = self.quadrature.nodes()
        at_image = streamed.scores[:, len(alphas) - 1] if alphas[-1] == 1 else clean_scores(case)
        if alphas[0] == 0:
            at_baseline = streamed.scores[:, :: len(alphas)].mean(1)
        else:
            at_baseline = mean_fill_score(case.model, case.images, case.target, case.draws, self.baseline, self.baselines)
        expected_sum = at_image - at_baseline
        if self.stochastic:
            return Explanation(streamed.values, expected_sum, streamed.standard_error)
        return Explanation.plain(streamed.values, expected_sum)

    def cost(self, image_shape: ImageShape) -> PassCount:
        if self.adaptive:
            most = self.baselines * self.quadrature.steps
            return PassCount(most, most)
        alphas, _ = self.quadrature.nodes()
        at_image, at_baselines = int(alphas[-1] != 1), self.baselines * int(alphas[0] != 0)
        return PassCount(self.n_probes() + at_image + at_baselines, self.n_probes(), clean=at_image)
