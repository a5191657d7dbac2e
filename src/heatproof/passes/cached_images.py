"""Cached activations of a batch of images, and the outputs of candidates computed with them by partial recomputation."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from heatproof.models.model import Model
from heatproof.numerics.no_gradients import no_gradients
from heatproof.partial.batches import similar_batches
from heatproof.partial.cache_update import CollectedRegions, update_by_replay
from heatproof.partial.gather import CandidateGroup
from heatproof.partial.plan import CachedActivations, ReplayPlan
from heatproof.partial.replay import Replay
from heatproof.passes.counting import record_rows
from heatproof.passes.incremental import SHAPE_FLOPS, IncrementalPlan, recorded
from heatproof.passes.memory import ENOUGH_ROWS, in_chunks
from heatproof.tracing.capture import named_network


class _Chunk(NamedTuple):
    """The outputs of some candidates, the share of a full pass that each took, and their regions if these are collected."""

    outputs: Tensor
    share: float
    regions: CollectedRegions | None


class CachedImages:
    """Computes candidates, which are images with one replaced rectangle each, from cached activations of the images.

    Cost: when it is made, one forward pass per image, which counts as work and not as a pass that was asked for.

    activations  what is cached of the images.
    """

    def __init__(self, model: Model, images: Tensor, plan: IncrementalPlan, replay: ReplayPlan, kind: str) -> None:
        self.activations: CachedActivations = {}
        self._model, self._like, self._plan, self._replay, self._kind = model, images[:1], plan, replay, kind
        self._collected: list[tuple[Sequence[int], CollectedRegions]] = []

        def compute(rows: range) -> CachedActivations:
            return recorded(model, images[_slice(rows)], replay.layout).cached

        for rows, activations in in_chunks(model, images, len(images), compute, f"recording for {kind}"):
            for number, tensors in activations.items():
                self.activations.setdefault(number, []).extend(tensors)
            record_rows(forward=0, equivalent=len(rows))

    def outputs(self, corners: Tensor, rectangles: Tensor) -> Tensor:
        """Return the outputs `[b p, k]` of candidates.

        Args:
            corners: `[b, p, 2]`, the first row and column of each candidate's rectangle.
            rectangles: `[b, p, c, h, w]`, what replaces it.

        Raises:
            ReplayMismatch: The network did not run the operations that it ran on the clean images.
        """
        b, p = rectangles.shape[:2]
        self._collected = []
        flat_corners = corners.flatten(0, 1).tolist()
        batches = self._batches(flat_corners, b, p)
        outputs = torch.cat([self._batch(batch, flat_corners, rectangles.flatten(0, 1), p) for batch in batches])
        order = torch.tensor([candidate for batch in batches for candidate in batch], device=outputs.device)
        return outputs if len(batches) == 1 else torch.empty_like(outputs).index_copy_(0, order, outputs)

    def _batches(self, corners: Sequence[Sequence[int]], b: int, p: int) -> list[Sequence[int]]:
        """Return the candidates of each batch: all of them, or some of one image where that has enough to fill a chunk."""
        if p < ENOUGH_ROWS:
            return [range(b * p)]
        bookkeeping = SHAPE_FLOPS * len(self._replay.steps)
        batches: list[Sequence[int]] = []
        for first in range(0, b * p, p):
            of_image = similar_batches(self._replay, corners[first : first + p], smallest=ENOUGH_ROWS, bookkeeping=bookkeeping)
            batches += [[first + candidate for candidate in batch] for batch in of_image]
        return batches

    def _batch(self, batch: Sequence[int], corners: Sequence[Sequence[int]], rectangles: Tensor, p: int) -> Tensor:
        collects = self._plan.collects_regions(p)

        def compute(rows: range) -> _Chunk:
            candidates = batch[_slice(rows)]
            groups = _groups(candidates, p, corners)
            regions = CollectedRegions(self.activations, groups) if collects else None
            replay = Replay(self._replay, self.activations, groups, regions.add if regions else None)
            with no_gradients(), self._model.running():
                outputs = replay.outputs(named_network(self._model), self._model.outputs, rectangles[[*candidates]])
            return _Chunk(outputs.clone(), replay.share, regions)  # cloned here, it is an ordinary tensor again

        outputs = []
        for rows, chunk in in_chunks(self._model, self._like, len(batch), compute, self._kind):
            record_rows(forward=len(rows), equivalent=chunk.share * len(rows))
            outputs.append(chunk.outputs)
            if chunk.regions is not None:
                self._collected.append((batch[_slice(rows)], chunk.regions))
        return torch.cat(outputs)

    def keep(self, corners: Tensor, rectangles: Tensor, candidate: Tensor) -> None:
        """Write one candidate of each image, of the last outputs, into the cached activations of the image.

        Cost: nothing where the regions of the last outputs were collected, else one partial pass per image.

        Args:
            corners: `[b, p, 2]`, as they were given for the last outputs; likewise the rectangles.
            rectangles: `[b, p, c, h, w]`.
            candidate: `[b]`, which of the p candidates becomes the image.

        Raises:
            ReplayMismatch: The network did not run the operations that it ran on the clean images.
        """
        b, p = rectangles.shape[:2]
        chosen = torch.arange(b), candidate.cpu()
        if not self._plan.collects_regions(p):
            self._update(corners[chosen].tolist(), rectangles[chosen])
            return
        rows_chosen = [image * p + row for image, row in enumerate(candidate.tolist())]
        with no_gradients():
            for rows, regions in self._collected:
                for row in rows_chosen:
                    if row in rows:
                        regions.write(rows.index(row))
        self._collected = []

    def _update(self, corners: Sequence[Sequence[int]], rectangles: Tensor) -> None:
        def compute(rows: range) -> float:
            groups, batch = _groups(rows, 1, corners), rectangles[_slice(rows)].clone()
            with no_gradients(), self._model.running():
                network = named_network(self._model)
                return update_by_replay(network, self._model.outputs, self._replay, self.activations, groups, batch)

        for rows, share in in_chunks(self._model, self._like, len(rectangles), compute, self._kind):
            record_rows(forward=0, equivalent=share * len(rows))


def _slice(rows: range) -> slice:
    return slice(rows.start, rows.stop)


def _groups(candidates: Sequence[int], p: int, corners: Sequence[Sequence[int]]) -> list[CandidateGroup]:
    """Return the groups of consecutive candidates of one image at one corner; each image has p candidates, each with its corner."""
    groups: list[CandidateGroup] = []
    for row, candidate in enumerate(candidates):
        image, (i, j) = candidate // p, corners[candidate]
        if groups and (groups[-1].image, groups[-1].corner) == (image, (i, j)):
            groups[-1] = groups[-1]._replace(rows=slice(groups[-1].rows.start, row + 1))
        else:
            groups.append(CandidateGroup(slice(row, row + 1), image, (i, j)))
    return groups
