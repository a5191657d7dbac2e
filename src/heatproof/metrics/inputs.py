"""Checks of the maps and regions that metrics score: what would give a wrong score is refused with the remedy."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from heatproof.core.errors import TensorError, UsageError
from heatproof.numerics.dense import check_dense
from heatproof.numerics.finite import finite
from heatproof.numerics.places import per_image
from heatproof.numerics.wide import wide


def finite_maps(values: Tensor, metric: str) -> Float[Tensor, "b c *space"]:
    """The maps, each that is not finite replaced by zeros. Integer, Boolean and half-precision maps become float32.

    Raises:
        TensorError: They are no batch of maps. The message begins with the name of the metric.
    """
    check_dense(values, f"{metric}: maps")
    if values.is_complex():
        raise TensorError(f"{metric}: maps: expected real numbers, got {values.dtype}; take their .real or .abs()")
    if values.ndim < 2 or 0 in values.shape[1:]:
        raise TensorError(
            f"{metric}: maps: expected a batch of raw maps, such as [b, c, h, w] of images or [b, f] of a table, got "
            f"{list(values.shape)}; a single map needs a batch axis, values[None]"
        )
    values = wide(values)
    return torch.where(per_image(finite(values), values), values, torch.zeros_like(values))


def check_no_more(metric: str, expected: str, others: Sequence[object]) -> None:
    """Refuse further arguments, which a metric of another base takes.

    Raises:
        UsageError: There are any.
    """
    if others:
        raise UsageError(
            f"{metric}: score: expected {expected}, got {len(others)} more; call heatproof.score(metric, model, images, maps), "
            "which takes any metric"
        )


def check_maps_of_images(values: Tensor, images: Tensor) -> None:
    """Check that there is one map for each image, of its size; maps may have other channels.

    Raises:
        TensorError: There are more or fewer, or they have another size.
    """
    if values.shape[0] != images.shape[0] or values.shape[2:] != images.shape[2:]:
        raise TensorError(f"maps: expected one per image and the images' size {list(images.shape)}, got {list(values.shape)}")


class ParsedRegions(NamedTuple):
    """What regions say of each image.

    unknown   `[b]` whether there is no region.
    inside    `[b, *places]` whether a place lies inside; of a truth by degrees, its value.
    left_out  `[b, *places]` whether a place does not count.
    first     `[b, 1]` the number of the first place that counts.
    """

    unknown: Bool[Tensor, " b"]
    inside: Shaped[Tensor, "b *places"]
    left_out: Bool[Tensor, "b *places"]
    first: Int[Tensor, "b 1"]


def parse_regions(
    regions: Tensor, maps: Float[Tensor, "b c *places"], *, graded: bool = False, leaves_out: bool = False
) -> ParsedRegions:
    """Which images have no region, and which places lie inside a region.

    Args:
        regions: 1 inside, 0 outside, and NaN where nothing is known.
        maps: the maps, of the same places.
        graded: whether a region may hold any finite number.
        leaves_out: whether a NaN speaks of its place alone, unless all are NaN.

    Raises:
        TensorError: The regions do not have the size of the maps, or they hold other values than 0, 1 and NaN.
    """
    check_dense(regions, "regions")
    if regions.shape != maps[:, 0].shape:
        raise TensorError(
            f"regions: expected one per map and the maps' size {list(maps[:, 0].shape)}, got {list(regions.shape)}; "
            "crop them as the images were: load_regions(data, model.preprocessing.region)"
        )
    regions = regions.to(maps)
    strange = regions.isinf() if graded else ~(regions.isnan() | (regions == 0) | (regions == 1))
    if bool(strange.any()):
        expected = "finite numbers" if graded else "1 inside, 0 outside"
        raise TensorError(
            f"regions: expected {expected} and NaN where there is none, got {regions[strange][0].item():g}; "
            f"{'mend them' if graded else 'choose a threshold: mask > 0.5'}"
        )
    nan = regions.isnan().flatten(1)
    unknown = nan.all(1) if leaves_out else nan.any(1)
    known = regions.nan_to_num(0) * per_image(~unknown, regions)
    left_out = nan & ~unknown[:, None] & leaves_out
    return ParsedRegions(
        unknown, known if graded else known == 1, left_out.view_as(regions), (~left_out).int().argmax(1, keepdim=True)
    )
