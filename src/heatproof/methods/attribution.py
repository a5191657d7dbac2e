"""The result of a method: raw signed maps, and what is known about them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.records import Reduction
from heatproof.numerics.reduce import reduce
from heatproof.numerics.wide import wide_type
from heatproof.passes.counting import PassCount


@dataclass(frozen=True, eq=False)
class Attribution:
    """The maps of one batch of images, and how they were computed.

    values        `[b, c, …]` raw and signed, in the shape and type of the input. They are never clipped, rescaled or made absolute.
    target        `[b]` the class that was explained for each image; −1 if the explained output depends on no class.
    output        the name of the explained output, such as logit or probability.
    expected_sum  `[b]` what the map of each image should sum to by the method's own axiom; NaN where the method states none. Of
                  maps in half precision, this and the other numbers about a map are in float32.
    error         `[b]` the estimated relative error of the map: how far it is from the map that more nodes or samples would give.
                  It is ‖SE‖ / ‖A‖ for a sampled map, an upper estimate for a path to a tolerance, and NaN where there is none. It
                  is not the `gap`: a map with a small gap may have a large error, since deviations cancel in the sum.
    probes        `[b]` the number of path nodes, draws or noisy copies behind the map of each image. It is below the number in the
                  settings where a tolerance was reached earlier, and 0 for a map that uses none.
    passes        forward and backward passes of the whole batch; one pass is one image through the network.
    seconds       wall-clock time of the call.
    method        canonical JSON of the settings of the method.
    plan          how the copy of the network that computed the passes differs from it; `plain` where it does not differ.
    seed          the seed of all random numbers.
    notes         one text per image: "", or why the map is zero, not finite, or less accurate than requested.
    details       further numbers by name, if the method has any: `[b]`, or `[b, n]` with NaN after the last number of an image.

    >>> import torch
    >>> from heatproof.methods import IntegratedGradients
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = IntegratedGradients().attribute(model, images, target=3)
    >>> attribution.map("l2").shape
    torch.Size([2, 1, 28, 28])
    >>> bool((attribution.gap < 0.05).all())
    True
    """

    values: Float[Tensor, "b c *space"]
    target: Int[Tensor, " b"]
    output: str
    expected_sum: Float[Tensor, " b"]
    error: Float[Tensor, " b"]
    probes: Int[Tensor, " b"]
    passes: PassCount
    seconds: float
    method: str
    plan: str
    seed: int
    notes: tuple[str, ...]
    details: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def gap(self) -> Float[Tensor, " b"]:
        """The relative completeness gap |Σ A − expected sum| / |expected sum| of each image, `[b]`.

        It is NaN where the method states no expected sum, and where the expected sum is zero.
        """
        return relative_gap(self.values, self.expected_sum)

    def map(self, reduction: Reduction | str = Reduction.SUM) -> Float[Tensor, "b 1 *space"]:
        """The maps with one channel, `[b, 1, …]`, reduced over the channels of the input: by default their signed sum."""
        return reduce(self.values, Reduction(reduction))

    def __repr__(self) -> str:
        gap, error = (", ".join(f"{x:.3f}" for x in each.tolist() if not math.isnan(x)) for each in (self.gap, self.error))
        return (
            f"Attribution({list(self.values.shape)}, target={self.target.tolist()}, output={self.output}, gap=[{gap}], "
            f"error=[{error}], passes={self.passes.forward}+{self.passes.backward}, method={self.method})"
        )


def relative_gap(values: Float[Tensor, "b *shape"], expected_sum: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
    """|Σ values − expected sum| / |expected sum| of each image, summed in float64, `[b]`.

    It is NaN where the expected sum is NaN or zero.
    """
    total = values.double().flatten(1).sum(1)
    gap = (total - expected_sum).abs() / expected_sum.double().abs()
    return torch.where(expected_sum != 0, gap, torch.nan).to(wide_type(values.dtype))
