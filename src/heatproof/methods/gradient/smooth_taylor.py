"""SmoothTaylor, which bridges integrated gradients and SmoothGrad.

    A(x) = 1/R Σ_r (x − z_r) ⊙ ∇f(z_r),    z_r = x + ε_r

x is the image, z_r a root, ε_r noise and f the explained output. With Gaussian noise the map estimates −σ² times the diagonal of
the Hessian of the smoothed f (Stein's lemma); at small σ it is the gradient times noise. The method is complete to first order
only: f(x) ≈ mean_r f(z_r) + Σ_i A_i, which is exact for linear f, so the expected sum is f(x) − mean_r f(z_r).

Cost: R forward and backward passes an image, and 1 forward pass for f(x); R is at most `samples` with a tolerance.
Source: Goh et al., "Understanding integrated gradients with SmoothTaylor for deep neural network attribution", ICPR 2020, eq. 6
and 9.
Differs from the paper because the signs are those of eq. 6 (its theorem drops the minus sign), roots may be antithetic, and σ may
be a share of the legal range, so that it means the same for every network (σ = 0.5 after ImageNet normalisation is about 0.11 of
that range).
"""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import PositiveInt
from torch import Tensor

from heatproof.methods.base import Axiom, Case, Explanation, SampledMethod, clean_scores
from heatproof.models.model import Model
from heatproof.numerics.wide import wide
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.probes import Probe, WeightedGradients
from heatproof.perturb.draws import Draws
from heatproof.perturb.noises.base import Noise
from heatproof.perturb.noises.gaussian import Gaussian


class SmoothTaylor(SampledMethod):
    """First-order Taylor terms averaged over random roots around the image.

    noise      the noise that makes a root of the image: by default Gaussian with σ = 0.5 in model space, one of the published
               settings. `antithetic=True` draws pairs x ± ε.
    samples    the number R of roots, 150 by default, one of the published settings; with a tolerance, the most.
    tolerance  the relative standard error at which an image needs no more roots; None uses exactly `samples`.

    >>> import torch
    >>> from heatproof.methods import SmoothTaylor
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> method = SmoothTaylor(noise={"sigma": 0.1, "relative_to": "bounds"}, samples=20)
    >>> attribution = method.attribute(model, images, target=3, seed=1)
    >>> attribution.values.shape, attribution.probes
    (torch.Size([2, 1, 28, 28]), tensor([20, 20]))
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
        """The k-th root of each image, weighted by the difference from the root to the image."""
        noise = self.noise(images, model.bounds, draws, k)
        return Probe(at=images + noise, weight=-wide(noise) / self.samples)

    def conclude(self, case: Case, streamed: WeightedGradients) -> Explanation:
        """The expected sum is f(x) − mean f(z_r); the error is the standard error over roots."""
        return Explanation(streamed.values, clean_scores(case) - streamed.mean_score, streamed.standard_error)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(self.samples + 1, self.samples, clean=1)
