"""DeepLIFT with the rescale rule.

    A(x) = 1/N Σ_n (x − b_n) ⊙ m(x, b_n),    m = gradient with g′ of every activation g replaced by (g(u) − g(u_b)) / (u − u_b)

x is the image, b_n one of N baselines, and u and u_b are the inputs of an activation for the image and for the baseline.
Saturated units, whose gradient is zero, count by their change between the two. The method is complete: Σ_i A_i = f(x) − mean_n
f(b_n), up to rounding where operations are linear, elementwise, maxima, products or quotients. A softmax, a layer normalisation
or a nonlinear output leaves the error of a quadrature with sixteen nodes, which `gap` states.

Cost: 3 forward passes (baseline, image, and one that verifies that tracing the network leaves its outputs unchanged) and 1
backward pass an image, each times N.
Source: Shrikumar, Greenside & Kundaje, "Learning important features through propagating activation differences", ICML 2017; as a
modified gradient: Ancona et al., "Towards better understanding of gradient-based attribution methods", ICLR 2018.
Differs from the paper because it has the rescale rule only, not RevealCancel; products multiply by the mean of the other factor,
maxima pass to the largest inputs of the side whose maximum is higher, values in order to one value each, and operations that mix
values pass their Jacobian averaged along a line (see `numerics/average_jacobian.py`); indices and masks that depend on the image
are held as they are there, unless they make an activation; the default baseline is black.
"""

from typing import ClassVar, Self

from pydantic import PositiveInt, model_validator
from torch import Tensor

from heatproof.methods.base import FLAT, Axiom, Case, Explanation, Method
from heatproof.numerics.wide import wide, wide_type
from heatproof.passes.adaptive_sampling import AdaptiveSampling
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.multipliers import multipliers
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.black import Black

UNNOTED = 0.05
"""The share of a map's magnitudes by which its sum may miss f(x) − f(baseline) without a note; nested quadratures miss less."""


class DeepLift(Method):
    """The change of the score from a baseline to the image, distributed by average slopes in one backward pass.

    baseline   the input that the image is compared with: black by default, the lower bound of every channel. Of a random
               baseline, `baselines` draws are made and their maps are averaged.
    baselines  the number N of draws of the baseline; it must be 1 for a baseline that is not random.

    >>> import torch
    >>> from heatproof.methods import DeepLift
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = DeepLift(baseline="black").attribute(model, images, target=3)
    >>> torch.allclose(attribution.values.flatten(1).sum(1), attribution.expected_sum, atol=1e-5)
    True
    """

    zero_because: ClassVar[str] = (
        f"the average slope is zero wherever the image differs from the baseline, if it does anywhere ({FLAT})"
    )
    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.COMPLETE, Axiom.DUMMY, Axiom.LINEAR, Axiom.SYMMETRIC})
    label: ClassVar[str] = "DeepLIFT"
    cite: ClassVar[str] = "Shrikumar, Greenside & Kundaje, ICML 2017"

    baseline: Fill = Black()
    baselines: PositiveInt = 1

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.baseline.check_baselines(self.baselines)
        return self

    @property
    def stochastic(self) -> bool:
        return self.baseline.stochastic

    def explain(self, case: Case) -> Explanation:
        """The expected sum is f(x) − mean f(b); the error is the standard error over baselines."""
        sampling = AdaptiveSampling(self.baselines, lambda k: k, kind="difference")
        exact = wide_type(case.images.dtype)
        sums = case.images.new_zeros(sampling.parts, *case.images.shape, dtype=exact)
        expected_sum = case.images.new_zeros(len(case), dtype=exact)

        def compute(sample: list[int], k: list[int]) -> tuple[Tensor, Tensor]:
            images = case.images[sample]
            start = self.baseline(images, case.model.bounds, case.draws.rows(sample), k)
            slopes, change = multipliers(case.model, images, start, case.target[sample])
            return (wide(images) - start) * slopes / self.baselines, change / self.baselines

        def add(sample: list[int], k: list[int], maps_and_changes: tuple[Tensor, Tensor]) -> None:
            for i, index, values, change in zip(sample, k, *maps_and_changes, strict=True):
                sums[sampling.part(index), i] += values
                expected_sum[i] += change

        used, error = sampling.run(case.model, case.images, compute, add, lambda still, _: sums[:, still])
        maps = sums.sum(0)
        return Explanation(maps.to(case.images.dtype), expected_sum, error, used, notes=_notes(maps, expected_sum))

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(3 * self.baselines, self.baselines)


def _notes(maps: Tensor, expected_sum: Tensor) -> tuple[str, ...]:
    """For each map, a note that it does not add up to the difference that it explains, or ""."""
    flat = maps.flatten(1)
    missing = (flat.sum(1) - expected_sum).abs() > UNNOTED * (flat.abs().sum(1) + expected_sum.abs())
    reason = (
        "the map does not sum to f(x) − f(baseline): a part of the network is cut from the graph, has no slope between the two, or "
        "rounds"
    )
    return tuple(reason * bad for bad in missing.tolist())
