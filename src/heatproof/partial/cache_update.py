"""Writing a candidate into the cached activations, so that it becomes the image that later replays start from.

Either the regions of a replay are collected (`CollectedRegions`) and a chosen row is written afterwards, or the candidate runs
through the network once more (`update_by_replay`), as far as the last cached tensor.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

from torch import Tensor, nn

from heatproof.partial.gather import CandidateGroup, region_cells
from heatproof.partial.plan import CachedActivations, ReplayPlan
from heatproof.partial.region import Region
from heatproof.partial.replay import Replay


class CollectedRegions:
    """Collects the regions, of one replay, of the tensors that are cached; pass `add` to the replay as its observer."""

    def __init__(self, cached: CachedActivations, groups: Sequence[CandidateGroup]) -> None:
        self._cached, self._groups = cached, groups
        self._regions: list[Region] = []

    def add(self, region: Region) -> None:
        """Keep the region, and its data from being overwritten, if its tensor is cached."""
        if region.number in self._cached:
            region.read_only = True
            self._regions.append(region)

    def write(self, row: int) -> None:
        """Write the regions of one row into the cached activations of its image."""
        for region in self._regions:
            _write(self._cached, region, self._groups, row)


class _AllWritten(Exception):
    """The last cached tensor has been written; the rest of the network need not run."""


def update_by_replay(
    module: nn.Module,
    forward: Callable[[Tensor], Tensor],
    plan: ReplayPlan,
    cached: CachedActivations,
    groups: Sequence[CandidateGroup],
    rectangles: Tensor,
) -> float:
    """Run one candidate per image, write its regions into the cached activations, and return the share of the network that ran.

    Args:
        module: the network, whose operations are traced.
        forward: runs it on a batch of images.
        plan: what the recording found.
        cached: the activations of the images, which are overwritten.
        groups: one row per image.
        rectangles: `[r, c, h, w]`, what becomes part of each image.

    Raises:
        ReplayMismatch: The network did not run the recorded operations.
    """
    remaining = set(cached)

    def write(region: Region) -> None:
        if region.number not in remaining:
            return
        for group in groups:
            _write(cached, region, groups, group.rows.start)
        remaining.remove(region.number)
        if not remaining:
            raise _AllWritten

    replay = Replay(plan, cached, groups, write)
    with suppress(_AllWritten):
        replay.outputs(module, forward, rectangles)
    return replay.share


def _write(cached: CachedActivations, region: Region, groups: Sequence[CandidateGroup], row: int) -> None:
    place, group = next(each for each in enumerate(groups) if each[1].rows.start <= row < each[1].rows.stop)
    region_cells(cached[region.number][group.image], region, place)[...] = region.data[row]
