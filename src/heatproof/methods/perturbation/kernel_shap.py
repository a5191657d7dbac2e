"""KernelSHAP: Shapley values of feature groups by weighted least squares on coalitions.

    minimise Σ_S w_S (v(S) − v(∅) − Σ_{i ∈ S} φ_i)²   subject to   Σ_i φ_i = v(all) − v(∅),    A_i = φ_i / |group i|

v(S) is the score with the groups of S present, and w_S = (M − 1) / (C(M, s) s (M − s)) for coalitions of size s. If `samples`
allows all 2^M − 2 coalitions, they are computed, and the values are exact. Otherwise pairs of a coalition and its complement are
sampled, no coalition twice: all of size 1 first, then equally many of every size (`numerics/coalition_strata.py`). The solution is
in closed form and in float64 (`numerics/paired_fit.py`), with standard errors; a map sums to f(x) − f(nothing present) to rounding.

Cost: 1 forward pass, and for each draw of the fill one with nothing present and one for each coalition.
Source: Lundberg & Lee, "A unified approach to interpreting model predictions", NeurIPS 2017.
Differs from the paper because coalitions are drawn in pairs, without repetition and equally for each size, with weights that make
up for it, where the paper draws from w_S; and because the constraint holds exactly instead of by large weights.
"""

from typing import ClassVar, Self

import torch
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.methods.base import Axiom
from heatproof.methods.perturbation.coalition import CoalitionMethod, Effects
from heatproof.numerics.coalition_strata import pairs_in_all, size_sequence
from heatproof.numerics.paired_fit import paired_fit
from heatproof.passes.adaptive_sampling import AdaptiveSampling
from heatproof.passes.coalition_game import CoalitionGame
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.sampling_rounds import in_rounds
from heatproof.perturb.masks.coalitions import paired_coalitions


class KernelShap(CoalitionMethod):
    """Shapley values of feature groups, fitted to the scores of coalitions, and shared equally among the values of a group.

    samples    the number of coalitions, besides the empty and the full one; even, at least twice the number of groups. All 2^M − 2
               are computed if there are no more. With a tolerance, the most. The error is NaN for fewer than three times the number
               of groups, when some sizes of coalitions have no sample.
    groups     the division into feature groups: 7 cells along each axis by default, and the columns of a table.
    fill       what absent groups are replaced with: black by default, the lower bound of every channel.
    draws      the number of draws of a random fill, over which the score of each coalition is averaged. It must be 1 for a fill
               that is not random. The error of a single draw of a random fill is not known, and NaN.
    tolerance  the relative standard error at which an image needs no more coalitions.

    `details` holds the `effects` of the groups and their `standard_errors`, `[b, m]`.

    Raises:
        TensorError: On a call, if `samples` is below twice the number of groups.

    >>> import torch
    >>> from heatproof.methods import KernelShap
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> quarters = {"name": "patches", "side": 14}
    >>> attribution = KernelShap(groups=quarters).attribute(model, images, target=3)
    >>> attribution.passes.forward, attribution.error  # two images with 2⁴ coalitions each: exact
    (32, tensor([0., 0.]))
    >>> bool((attribution.gap < 1e-5).all())
    True
    """

    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.COMPLETE, Axiom.LINEAR})
    label: ClassVar[str] = "KernelSHAP"
    cite: ClassVar[str] = "Lundberg & Lee, NeurIPS 2017"

    samples: int = Field(default=2000, ge=2, multiple_of=2)
    draws: PositiveInt = 1
    tolerance: PositiveFloat | None = None

    @model_validator(mode="after")
    def _drawn_if_random(self) -> Self:
        if not self.fill.stochastic and self.draws > 1:
            raise ValueError(
                f"draws: expected 1, since every draw of {self.fill.name} is the same, got {self.draws}; use fill='uniform' to "
                "average over noise"
            )
        if self.fill.stochastic and self.draws == 1 and self.tolerance is not None:
            raise ValueError(
                f"tolerance: expected at least 2 draws of {self.fill.name}, whose error is not known from one, got 1; raise draws"
            )
        return self

    def estimate(self, game: CoalitionGame) -> Effects:
        m, b, d = game.m, len(game), self.draws
        n = self._pairs(m)
        if n < min(m, pairs_in_all(m)):
            raise TensorError(
                f"{self.name}: expected samples of at least {2 * m} for {m} feature groups, got {self.samples}; raise samples, or "
                "take fewer groups"
            )
        sizes, pairs = size_sequence(m, n), paired_coalitions(game.inputs.draws, m, n, shuffled=self.tolerance is not None)
        pairs = pairs.to(game.clean.device)
        absent = game.scores([*range(b)], d, lambda image, _: pairs.new_zeros(len(image), m), lambda _, k: k)
        odd = torch.zeros(b, n, d, dtype=torch.double, device=game.clean.device)
        values, errors = torch.zeros(2, b, m, dtype=torch.double, device=game.clean.device)

        def draw(unfinished: list[int], span: range) -> None:
            def coalitions(image: list[int], k: list[int]) -> Tensor:
                step = torch.tensor(k, device=pairs.device) // d
                chosen = pairs[[0] * len(image) if len(pairs) == 1 else image, span.start + step // 2]
                return chosen ^ (step % 2 == 1)[:, None]

            def draws(_: list[int], k: list[int]) -> list[int]:
                return [each % d for each in k] if d > 1 else [0] * len(k)

            scores = game.scores(unfinished, 2 * d * len(span), coalitions, draws)
            present, complement = scores.view(len(unfinished), len(span), 2, d).unbind(2)
            odd[unfinished, span.start : span.stop] = (present - complement) / 2

        def relative(unfinished: list[int], upto: int) -> Tensor:
            design = pairs if len(pairs) == 1 else pairs[unfinished]
            total = game.clean[unfinished, None] - absent[unfinished]
            fit = paired_fit(design[:, :upto], sizes[:upto], odd[unfinished, :upto], total)
            values[unfinished], errors[unfinished] = fit.effects.mean(2), fit.standard_error
            if self.fill.stochastic and d == 1:
                errors[unfinished] = torch.nan
            return game.relative(values[unfinished], errors[unfinished], unfinished)

        # the pairs of size 1, and then each pair, are an independent group
        sampling = AdaptiveSampling(n, lambda k: k - m + 1 if k >= m else 0, self.tolerance)
        used, error = in_rounds(sampling, b, draw, relative)
        expected_sum = game.clean - absent.mean(1)
        return Effects(values, errors, expected_sum, error, 2 * used, sampling.notes(2 * used, error))

    def _pairs(self, m: int) -> int:
        return min(self.samples // 2, pairs_in_all(m))

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1 + self.draws * (1 + 2 * self._pairs(self.groups.count(image_shape))), clean=1)
