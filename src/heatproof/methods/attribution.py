"""The result of a method: raw signed maps and what is known of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
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
    error    `[b]` relative error of the map: how far it is from what more nodes or samples would make of it, ‖SE‖ / ‖A‖ of a
             sampled map, the rule's own estimate on a path; NaN where there is none. Not to be taken for `gap`.
    probes   `[b]` points of the path, draws or noisy copies that the map of each sample is made of; fewer than the settings
             allow where a tolerance was met, 0 for a map that is made of none.
    passes   rows that went forward and backward, for the whole batch.
    details  further numbers by name, `[b]` or `[b, n]` with NaN after a sample's last, from methods that have any to tell.
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
    details: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def gap(self) -> Float[Tensor, " b"]:
        """Relative completeness gap |Σ A − claim| / |claim| per sample; NaN where nothing or zero is claimed."""
        return relative_gap(self.values, self.claim)

    def map(self, reduction: Reduction | str = Reduction.SUM) -> Float[Tensor, "b 1 *space"]:
        """One channel: the maps reduced as named (the signed sum unless told otherwise)."""
        return reduce(self.values, Reduction(reduction))

    def __repr__(self) -> str:
        gap, error = (", ".join(f"{x:.3f}" for x in each.tolist() if not math.isnan(x)) for each in (self.gap, self.error))
        return (
            f"Attribution({list(self.values.shape)}, target={self.target.tolist()}, output={self.output}, gap=[{gap}], "
            f"error=[{error}], passes={self.passes.forward}+{self.passes.backward}, method={self.method})"
        )


def relative_gap(values: Float[Tensor, "b *shape"], claim: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
    """|Σ values − claim| / |claim|, summed in float64; NaN where nothing is claimed, and where the claim is zero."""
    total = values.double().flatten(1).sum(1)
    gap = (total - claim).abs() / claim.double().abs()
    return torch.where(claim != 0, gap, torch.nan).to(values.dtype)
