"""Scores of inputs whose regions are removed, or inserted, in the order of a map: the one engine of all curves of this kind.

    y(order, draw, s) = f(x with the first n_s regions of the order replaced by the draw of the fill)

Both orders and all draws of an image are one stream of passes (`masked_scores.py`), with one ranking of the regions for each draw.
What is removed at a step depends on the map and on the step alone, not on the scores before it; `patched_images.py` is for curves
that carry a candidate from one step to the next (decision 0026).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.wide import wide_type
from heatproof.passes.masked_scores import MaskedInputs, masked_scores
from heatproof.perturb.masks.removal_order import Order, RemovalOrder


@dataclass(frozen=True, eq=False)
class RemovalSteps:
    """How many regions are treated at each point of a curve.

    sizes   The number of regions of each image.
    counts  The number of regions treated at each point, for each image; the first is 0.

    >>> from heatproof.passes.removal_curves import RemovalSteps
    >>> RemovalSteps.of((49, 10), steps=3, share=0.5).counts
    ((0, 8, 16, 24), (0, 1, 3, 5))
    """

    sizes: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, sizes: Sequence[int], steps: int, share: float) -> Self:
        """Equal steps, as far as whole regions allow, until a share of an image's regions is treated."""
        last = [regions_within(share, n) for n in sizes]
        return cls(tuple(sizes), tuple(tuple(k * n // steps for k in range(steps + 1)) for n in last))

    @property
    def whole(self) -> bool:
        """Whether every region of every image is treated at the last point."""
        return all(counts[-1] == n for counts, n in zip(self.counts, self.sizes, strict=True))

    def shares(self) -> Float[Tensor, "b points"]:
        """The regions treated at each point, as a share of those treated at the last one; in float64."""
        counts = torch.tensor(self.counts, dtype=torch.float64)
        return counts / counts[:, -1:]


def regions_within(share: float, regions: int) -> int:
    """The number of whole regions in a share of them, at least one."""
    return max(1, int(share * regions + 1e-9))


@dataclass(frozen=True, eq=False)
class RemovalStream:
    """The masks of all curves of some images, as `masked_scores` takes them.

    order   The masks along the curves.
    curves  The number of curves of an image: one for each draw and order.
    shape   The shape of a mask of places; () where there are feature groups.
    """

    order: RemovalOrder
    curves: int
    shape: tuple[int, ...]

    @classmethod
    def of(
        cls,
        inputs: MaskedInputs,
        relevance: Float[Tensor, "b n"],
        steps: RemovalSteps,
        orders: tuple[Order, ...],
        *,
        draws: int,
        insertion: bool,
    ) -> Self:
        """Every point that is not the clean input itself; the arguments are those of `removal_scores`."""
        points = len(steps.counts[0])
        at = slice(0, points - steps.whole) if insertion else slice(1, points)
        passing = tuple(counts[at] for counts in steps.counts)
        order = RemovalOrder(_own(relevance, steps.sizes), inputs.draws, steps.sizes, passing, orders, insertion)
        images = inputs.images
        places = images.shape[1:] if images.ndim == 2 else (1, *images.shape[2:])
        return cls(order, draws * len(orders), tuple(places) if inputs.groups is None else ())

    @property
    def n(self) -> int:
        """The number of masks of an image."""
        return self.curves * self.order.points

    def masks(self, image: list[int], variant: list[int]) -> Tensor:
        """What is present in each mask of a chunk."""
        present = self.order.present(image, variant)
        return present.view(-1, *self.shape) if self.shape else present


def removal_scores(
    inputs: MaskedInputs,
    clean: Float[Tensor, " b"],
    relevance: Float[Tensor, "b n"],
    steps: RemovalSteps,
    orders: tuple[Order, ...],
    *,
    draws: int,
    insertion: bool,
) -> Float[Tensor, "b orders draws points"]:
    """The scores at every point of the curves. Cost: one forward pass for each point that is not the clean input itself.

    Args:
        inputs: The images, the fill and the regions: feature groups, or None where every place is a region of its own.
        clean: The score of each clean image, `inputs.clean()`.
        relevance: The relevance of each region; of places, in the order of the flattened map.
        steps: How many regions are treated at each point.
        orders: Whether the most or the least relevant region is treated first, in each of the curves of a draw.
        draws: The number of draws of the fill, each with an order of ties of its own.
        insertion: Whether regions of the image are inserted into the fill, rather than replaced by it.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.masked_scores import MaskedInputs
    >>> from heatproof.passes.removal_curves import RemovalSteps, removal_scores
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import Black
    >>> from heatproof.perturb.groups import RegularGrid
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> draws = Draws.for_images(0, images)
    >>> groups = RegularGrid(cells_per_axis=4)(images, model.bounds, draws)
    >>> inputs = MaskedInputs(model, images, torch.tensor([3, 5]), draws, Black(), groups)
    >>> steps = RemovalSteps.of(groups.counts, steps=8, share=0.5)
    >>> removal_scores(inputs, inputs.clean(), groups.sums(images), steps, ("least", "most"), draws=1, insertion=False).shape
    torch.Size([2, 2, 1, 9])
    """
    images, stream = inputs.images, RemovalStream.of(inputs, relevance, steps, orders, draws=draws, insertion=insertion)
    scores = torch.empty(len(images), stream.n, dtype=wide_type(images.dtype), device=images.device)
    for chunk in masked_scores(inputs, stream.n, stream.masks, stream.order.draw):
        scores[chunk.image, chunk.k] = chunk.scores.to(scores)
    curves = scores.view(len(images), draws, len(orders), stream.order.points).transpose(1, 2)
    end = clean.to(scores)[:, None, None, None].expand(-1, len(orders), draws, 1)
    if insertion:
        return torch.cat([curves, end], 3) if steps.whole else curves
    return torch.cat([end, curves], 3)


def _own(relevance: Tensor, sizes: Sequence[int]) -> Tensor:
    """The relevance, −∞ in the columns beyond an image's own regions, which come after all others."""
    column = torch.arange(relevance.shape[1], device=relevance.device)
    return relevance.masked_fill(column >= torch.tensor(sizes, device=relevance.device)[:, None], -torch.inf)
