"""The result of a method: raw signed maps and what is known of them."""

import math
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.records import Reduction
from heatproof.numerics.reduce import reduce
from heatproof.passes.counting import PassCount


@dataclass(frozen=True, eq=False)
class Attribution:
    """Maps of one batch, and how they came about.

    values   `[b, c, …]` raw and signed, shaped as the input: never clipped, rescaled or made absolute.
    target   `[b]` explained class.
    claim    `[b]` what the map of each sample should sum to by the method's own axiom; NaN where it claims nothing.
    error    `[b]` relative: the completeness gap |Σ A − claim| / |claim| of a quadrature, or the standard error of a sampled
             map ‖SE‖ / ‖A‖; NaN where undefined.
    probes   `[b]` points of the path, draws or noisy copies that the map of each sample is made of; fewer than the settings
             allow where a tolerance was met, 0 for a map that is made of none.
    passes   rows that went forward and backward, for the whole batch.
    notes    one text per sample: "", or why its map is zero or not finite, or that it is less accurate than asked.
    """

    values: Float[Tensor, "b c *space"]
    target: Int[Tensor, " b"]
    output: str
    claim: Float[Tensor, " b"]
    error: Float[Tensor, " b"]
    probes: Int[Tensor, " b"]
    passes: PassCount
    seconds: float
    method: str
    """Canonical JSON of the method's settings."""
    plan: str
    """How the rows were computed."""
    seed: int
    notes: tuple[str, ...]

    def map(self, reduction: Reduction | str = Reduction.SUM) -> Float[Tensor, "b 1 *space"]:
        """One channel: the maps reduced as named (the signed sum unless told otherwise)."""
        return reduce(self.values, Reduction(reduction))

    def __repr__(self) -> str:
        errors = [f"{e:.3f}" for e in self.error.tolist() if not math.isnan(e)]
        return (
            f"Attribution({list(self.values.shape)}, target={self.target.tolist()}, output={self.output}, "
            f"error=[{', '.join(errors)}], passes={self.passes.forward}+{self.passes.backward}, method={self.method})"
        )
