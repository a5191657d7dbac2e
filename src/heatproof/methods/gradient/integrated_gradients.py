"""Integrated gradients.

    A(x) = 1/N Σ_n (x − b_n) ⊙ Σ_m w_m ∇f(b_n + α_m (x − b_n)),    Σ_m w_m = 1

x image, b_n baseline (N of them where it is drawn at random), (α_m, w_m) nodes and weights of a quadrature on [0, 1], f the
explained output. Complete: Σ_i A_i = f(x) − mean_n f(b_n) up to quadrature error, which comes back per sample as `gap`.

Cost: N × nodes forward and backward rows an image, and forward rows for the end points that the rule lacks (1 for f(x),
N for f(b)); with a tolerance, at most N × steps forward and backward rows.
Source: Sundararajan, Taly & Yan, "Axiomatic attribution for deep networks", ICML 2017, eq. 1; noise baselines: Goh et al.,
ICPR 2020, eq. 3.
Differs from the paper: Gauss–Legendre by default, whose gap at 32 nodes is under half the right Riemann sum's on EfficientNet-Lite0
(`quadrature="right_riemann"` is the paper's); black pixels rather than zero as the default baseline.
"""

from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from pydantic import PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from heatproof.methods.base import Axiom, Case, Explanation, ProbeMethod, clean_scores
from heatproof.models.model import Model
from heatproof.numerics.quadrature import GaussLegendre, Quadrature
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import mean_fill_score
from heatproof.passes.path_gradients import Accuracy, path_gradients
from heatproof.passes.probes import Probe, WeightedGradients
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.black import Black


class IntegratedGradients(ProbeMethod):
    """Gradients averaged along straight lines from a baseline to the image, times the way gone.

    baseline       where the path starts; a random one is drawn `baselines` times and the maps are averaged.
    quadrature     nodes and weights on the path; with a tolerance, only its steps count, as the most rows a path may take.
    tolerance      relative completeness gap at which an image has nodes enough.
    map_tolerance  relative error of the map, as estimated, at which it has; the stricter thing to ask for. With both, both hold;
                   with one or both, a trapezoid's nodes go where the path needs them (see `passes/path_gradients.py`).
    """

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
        """Whether nodes are as many as an accuracy takes."""
        return self.tolerance is not None or self.map_tolerance is not None

    @property
    def stochastic(self) -> bool:
        return self.baseline.stochastic

    def n_probes(self) -> int:
        return self.baselines * self.quadrature.n_nodes

    def group(self, k: int) -> int:
        return k // self.quadrature.n_nodes

    def probe(self, model: Model, images: Tensor, draws: Draws, k: Sequence[int]) -> Probe:
        """On the line from the k-th row's baseline to the image."""
        alphas, weights = (v.to(images) for v in self.quadrature.nodes())
        node = torch.tensor([i % len(alphas) for i in k], device=images.device)
        start = self.baseline(images, model.bounds, draws, [self.group(i) for i in k])
        path = images - start
        along = (-1, *[1] * (images.ndim - 1))
        at = torch.addcmul(start, alphas[node].view(along), path)
        return Probe(at, weight=path.mul_(weights[node].view(along) / self.baselines))

    def explain(self, case: Case) -> Explanation:
        if not self.adaptive:
            return super().explain(case)

        def start(sample: list[int], path: list[int]) -> Tensor:
            return self.baseline(case.images[sample], case.model.bounds, case.draws.rows(sample), path)

        accuracy = Accuracy(self.tolerance, self.map_tolerance, self.cost(tuple(case.images.shape[1:])).backward)
        found = path_gradients(case.model, case.images, case.target, start, self.baselines, accuracy)
        return Explanation(found.values, found.expected_sum, found.error, found.probes, found.notes)

    def conclude(self, case: Case, streamed: WeightedGradients) -> Explanation:
        """Claim f(x) − mean f(b); no error is known. End points on the quadrature are not computed again."""
        alphas, _ = self.quadrature.nodes()
        at_image = streamed.scores[:, len(alphas) - 1] if alphas[-1] == 1 else clean_scores(case)
        if alphas[0] == 0:
            at_baseline = streamed.scores[:, :: len(alphas)].mean(1)
        else:
            at_baseline = mean_fill_score(case.model, case.images, case.target, case.draws, self.baseline, self.baselines)
        claim = at_image - at_baseline
        return Explanation.plain(streamed.values, claim)

    def cost(self, image_shape: ImageShape) -> PassCount:
        if self.adaptive:
            most = self.baselines * self.quadrature.steps
            return PassCount(most, most)
        alphas, _ = self.quadrature.nodes()
        at_image, at_baselines = int(alphas[-1] != 1), self.baselines * int(alphas[0] != 0)
        return PassCount(self.n_probes() + at_image + at_baselines, self.n_probes(), clean=at_image)
