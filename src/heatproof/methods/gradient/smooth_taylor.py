"""SmoothTaylor, the bridge between integrated gradients and SmoothGrad.

    A(x) = 1/R Σ_r (x − z_r) ⊙ ∇f(z_r),    z_r = x + ε_r

x image, z_r root, ε_r noise, f the explained output. With Gaussian noise this estimates −σ² times the diagonal of the Hessian of
the smoothed f (Stein's lemma); at small σ it is the gradient times noise. Complete to first order only:
f(x) ≈ mean_r f(z_r) + Σ_i A_i, exact for linear f; that is what `claim` states.

Cost: R forward and backward rows an image, and 1 forward row for f(x); R is at most `samples` with a tolerance.
Source: Goh et al., "Understanding integrated gradients with SmoothTaylor for deep neural network attribution", ICPR 2020,
eq. 6 and 9.
Differs from the paper: signed as in eq. 6 (its theorem drops the minus sign); antithetic roots on request; σ may be a share of the
legal range, so that it means the same for every network (σ = 0.5 after ImageNet normalisation is about 0.11 of that range).
"""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import PositiveInt
from torch import Tensor

from heatproof.methods.base import Axiom, Case, Explanation, SampledMethod, clean_scores
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.probes import Probe, WeightedGradients
from heatproof.perturb.draws import Draws
from heatproof.perturb.noises.base import Noise
from heatproof.perturb.noises.gaussian import Gaussian


class SmoothTaylor(SampledMethod):
    """First-order Taylor terms averaged over random roots around the image.

    noise      how roots are drawn (`antithetic=True` for pairs x ± ε).
    samples    number of roots R; with a tolerance, the most.
    tolerance  relative standard error at which an image has roots enough; None = exactly `samples`.
    """

    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.DUMMY, Axiom.LINEAR})
    label: ClassVar[str] = "SmoothTaylor"
    cite: ClassVar[str] = "Goh, Lapuschkin, Weber, Samek & Binder, ICPR 2020"

    noise: Noise = Gaussian(sigma=0.5, relative_to="absolute")
    samples: PositiveInt = 150

    def n_probes(self) -> int:
        return self.samples

    def group(self, k: int) -> int:
        return self.noise.group(k)

    def probe(self, model: Model, images: Tensor, draws: Draws, k: Sequence[int]) -> Probe:
        """At the k-th root, weighed by the way back to the image."""
        noise = self.noise(images, model.bounds, draws, k)
        return Probe(at=images + noise, weight=-noise / self.samples)

    def conclude(self, case: Case, streamed: WeightedGradients) -> Explanation:
        """Claim f(x) − mean f(z_r); error = standard error over roots."""
        return Explanation(streamed.values, clean_scores(case) - streamed.mean_score, streamed.standard_error)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(self.samples + 1, self.samples, clean=1)
