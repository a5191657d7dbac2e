"""DeepLIFT, rescale rule: the score's change from a baseline, shared out by average slopes, operation by operation.

    A(x) = 1/N Σ_n (x − b_n) ⊙ m(x, b_n),    m = gradient with f′ of every activation replaced by (f(u) − f(u_b)) / (u − u_b)

u and u_b what the activation meets for the image and for the baseline. Saturated units, whose gradient is zero, count by what they
changed on the way. Complete: Σ_i A_i = f(x) − mean_n f(b_n), to rounding where operations are linear, elementwise, maxima, products
or quotients; a softmax, a layer normalisation or a nonlinear output leave the error of sixteen nodes, which `gap` tells.

Cost: 3 forward rows (baseline, image, and one to see that following the network changes nothing) and 1 backward row, each times N.
Source: Shrikumar, Greenside & Kundaje, "Learning important features through propagating activation differences", ICML 2017; as a
modified gradient: Ancona et al., "Towards better understanding of gradient-based attribution methods", ICLR 2018.
Differs from the paper: rescale rule only, not RevealCancel; products multiply by the other factor's mean, maxima give to the
winners of the higher side, what mixes values passes its Jacobian averaged along a line (see `numerics/secants.py`); indices and
masks that depend on the image are held as they are there; black pixels as the default baseline.
"""

from typing import ClassVar, Self

from pydantic import PositiveInt, model_validator
from torch import Tensor

from heatproof.methods.base import Axiom, Case, Explanation, Method
from heatproof.passes.adaptive_sampling import AdaptiveSampling
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.multipliers import multipliers
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.black import Black


class DeepLift(Method):
    """How the score came from the baseline's to the image's, in one backward pass.

    baseline   what the image is compared with; a random one is drawn `baselines` times and the maps are averaged.
    baselines  draws of the baseline.
    """

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
        """Claim f(x) − mean f(b); error = standard error over baselines."""
        rounds = AdaptiveSampling(self.baselines, lambda k: k, kind="difference")
        sums, claim = case.images.new_zeros(rounds.parts, *case.images.shape), case.images.new_zeros(len(case))

        def compute(sample: list[int], k: list[int]) -> tuple[Tensor, Tensor]:
            images = case.images[sample]
            start = self.baseline(images, case.model.bounds, case.draws.rows(sample), k)
            slopes, change = multipliers(case.model, images, start, case.target[sample])
            return (images - start) * slopes / self.baselines, change / self.baselines

        def add(sample: list[int], k: list[int], found: tuple[Tensor, Tensor]) -> None:
            for i, index, values, change in zip(sample, k, *found, strict=True):
                sums[rounds.part(index), i] += values
                claim[i] += change

        used, error = rounds.run(case.model, case.images, compute, add, lambda still, _: sums[:, still])
        return Explanation(sums.sum(0), claim, error, used)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(3 * self.baselines, self.baselines)
