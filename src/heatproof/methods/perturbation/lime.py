"""LIME: a linear function of the presence of feature groups, fitted to the scores around the image.

    minimise over β, β₀   Σ_k π_k (f(x with the groups of z_k) − β₀ − z_k·β)² + λ ‖β‖²,    A_i = β_i / |group i|
    π_k = exp(−d_k² / 2w²),    d_k = 1 − √(share of the groups present) (cosine), or √(number of groups absent) (Euclidean)

z_k ∈ {0, 1}^M are random: the first is the image itself, and in the others each group is present with probability ½. Where all
2^M are no more than `samples`, each is computed once and counts as often as it would be drawn in the mean. The map of a linear
function of the groups is its effects if λ = 0. `details` holds R², the share of the score's weighted variance that the linear
function explains; where it is low, the map says little about the network around this image.

Cost: 1 forward pass for each sample, the first being f(x).
Source: Ribeiro, Singh & Guestrin, "'Why should I trust you?' Explaining the predictions of any classifier", KDD 2016; defaults of
the authors' software for images: 1,000 samples, cosine distance, width 0.25, λ = 1.
Differs from the paper because all groups take part instead of a chosen few, because the groups are cells of a grid and the fill is
black unless given (the software takes quickshift superpixels and their mean colours), and because there are standard errors. The
software's kernel is the square root of exp(−d² / w²), which is the π above.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.methods.base import Axiom
from heatproof.methods.perturbation.coalition import FIRST_ROUND, CoalitionMethod, Effects
from heatproof.numerics.shapley_values import every_coalition
from heatproof.numerics.weighted_ridge import weighted_ridge
from heatproof.passes.adaptive_sampling import AdaptiveSampling
from heatproof.passes.coalition_game import CoalitionGame
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.sampling_rounds import in_rounds

STREAM = "lime"
UNDEFINED = "R² is not defined, since the score was the same for every sample"


class Lime(CoalitionMethod):
    """The effect of each feature group in a linear function fitted around the image, shared equally among the values of a group.

    samples       the number of samples, the image itself included; with a tolerance, the most.
    distance      how far a sample is from the image: cosine of the present groups, or Euclidean, the root of the number absent.
    kernel_width  the distance w on which weights fall, 0.25 as in the authors' software for the cosine; the software takes ¾ √M for
                  the Euclidean distance.
    ridge         the penalty λ on the squares of effects, 1 as in the authors' software; 0 fits without a penalty.
    groups        the division into feature groups: 7 cells along each axis by default, and the columns of a table. The software's
                  are `groups={"name": "quickshift"}`.
    fill          what absent groups are replaced with: black by default, the lower bound of every channel. The software's is
                  `fill={"name": "segment_mean", "groups": {"name": "quickshift"}}`. A random fill is drawn anew for each sample.
    tolerance     the relative standard error at which an image needs no more samples.

    `details` holds the `effects` of the groups and their `standard_errors`, `[b, m]`, and `r_squared`, `[b]`.

    Raises:
        TensorError: On a call, if `ridge` is 0 and `samples` is no more than the number of groups.

    >>> import torch
    >>> from heatproof.methods import Lime
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = Lime(samples=200).attribute(model, images, target=3)
    >>> attribution.values.shape, attribution.passes.forward
    (torch.Size([2, 1, 28, 28]), 400)
    >>> bool((attribution.details["r_squared"] > 0.5).all())
    True
    """

    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.LINEAR})
    label: ClassVar[str] = "LIME"
    cite: ClassVar[str] = "Ribeiro, Singh & Guestrin, KDD 2016"

    samples: int = Field(default=1000, ge=2)
    distance: Literal["cosine", "euclidean"] = "cosine"
    kernel_width: PositiveFloat = 0.25
    ridge: NonNegativeFloat = 1.0
    tolerance: PositiveFloat | None = None

    def enumerates(self, m: int) -> bool:
        """Whether all 2^M samples are computed."""
        first = self.samples if self.tolerance is None else min(self.samples, FIRST_ROUND)
        return not self.fill.stochastic and 2**m <= first

    def estimate(self, game: CoalitionGame) -> Effects:
        m, b = game.m, len(game)
        every = self.enumerates(m)
        if not self.ridge and not every and self.samples <= m:
            raise TensorError(
                f"{self.name}: expected more samples than the {m} feature groups without a ridge, got {self.samples}; raise "
                "samples, or take fewer groups or a ridge above 0"
            )
        if every:
            design = every_coalition(m).flip(0)[None]  # the image itself first
        else:
            design = game.inputs.draws.on_cpu().uniform(STREAM, 0, (self.samples, m)) < 0.5
            design[:, 0] = True
        design = design.to(game.clean.device)
        n = design.shape[1]
        weights = self.weights(design) * (self.samples / n)
        scores = torch.zeros(b, n, dtype=torch.double, device=game.clean.device)
        scores[:, 0] = game.clean
        values, errors = torch.zeros(2, b, m, dtype=torch.double, device=game.clean.device)
        r_squared = torch.full((b,), torch.nan, dtype=torch.double, device=game.clean.device)

        def draw(unfinished: list[int], span: range) -> None:
            start = max(span.start, 1)

            def coalitions(image: list[int], k: list[int]) -> Tensor:
                return design[[0] * len(image) if len(design) == 1 else image, [start + each for each in k]]

            found = game.scores(unfinished, span.stop - start, coalitions, lambda _, k: [start + each for each in k])
            scores[unfinished, start : span.stop] = found

        def relative(unfinished: list[int], upto: int) -> Tensor:
            at = [0] if len(design) == 1 else unfinished
            fit = weighted_ridge(design[at, :upto], scores[unfinished, :upto], weights[at, :upto], self.ridge)
            values[unfinished], r_squared[unfinished] = fit.coefficients, fit.r_squared
            errors[unfinished] = 0 if every else fit.standard_error
            return game.relative(values[unfinished], errors[unfinished], unfinished)

        sampling = AdaptiveSampling(n, lambda k: k, None if every else self.tolerance)
        used, error = in_rounds(sampling, b, draw, relative)
        notes = tuple(
            "; ".join(filter(None, (note, UNDEFINED * bool((scores[i, : used[i]] == scores[i, 0]).all()))))
            for i, note in enumerate(sampling.notes(used, error))
        )
        unknown = torch.full_like(game.clean, torch.nan)
        return Effects(values, errors, unknown, error, used, notes, {"r_squared": r_squared})

    def weights(self, present: Tensor) -> Tensor:
        """The weight π of each sample, in float64."""
        m = present.shape[-1]
        count = present.sum(-1).double()
        squares = (1 - (count / m).sqrt()).square() if self.distance == "cosine" else m - count
        return (-squares / (2 * self.kernel_width**2)).exp()

    def cost(self, image_shape: ImageShape) -> PassCount:
        m = self.groups.count(image_shape)
        return PassCount(2**m if self.enumerates(m) else self.samples, clean=1)
