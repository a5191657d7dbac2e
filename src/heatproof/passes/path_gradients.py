"""Integrals of the gradient along straight paths: nodes go where they are needed, and every gradient taken is used.

    A = Σ_p h_p (t(left) + t(right)) / 2,    t(α) = (x − b) ⊙ ∇f(b + α (x − b)),    Σ_p h_p = 1

A trapezoid on each piece p of the path. A gradient gives f at its node too, so that each piece knows what it should sum to, and
how much the gradient turned on it:

    gap_p   = h_p (Σ t(left) + Σ t(right)) / 2 − (f(right) − f(left))
    error_p = h_p ‖t(right) − t(left)‖ / √12

A path begins with `PIECES` equal pieces. Each round halves a quarter of an image's pieces, those with the largest |gap_p|, until
|Σ gap_p| ≤ τ |f(x) − f(b)|; those with the largest error_p, until √(Σ error_p²) ≤ τ ‖A‖; or both in turn.

Why √12: along a path, the gradient of a piecewise linear network is constant but for jumps. A jump J at the share u of a piece
makes the trapezoid err by J h (u − ½), in mean square J² h² / 12 where every u is as likely, and jumps of different pieces add up
in square. Where the gradient changes evenly, this overstates. Gaps, on the other hand, cancel, and may do so by luck: a map with a
gap of 5 % may be off by 15 %. The error of the map is the stricter thing to ask for. Measured: docs/project/measurements/paths.md.

Memory: what a node is kept as is a sketch of its gradient (`numerics/count_sketch.py`), from which lengths are told, and the
gradient itself for the first `KEPT` nodes of an image. The gradients of further nodes are computed again at the end, when their
weights are known. Images are taken as many at once as that fits in memory, once more beside a chunk.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf, nan, sqrt
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.models.model import Model
from heatproof.numerics.count_sketch import count_sketch
from heatproof.passes.gradient import gradient
from heatproof.passes.memory import copies_in_memory, in_chunks

PIECES = 8
"""Pieces of a path in the first round."""
HALVED = 4
"""One in so many pieces is halved in a round."""
KEPT = 64
"""Gradients of an image that are kept."""

Start = Callable[[list[int], list[int]], Tensor]
"""(sample, path) of each row → where that path starts."""


@dataclass(frozen=True)
class Accuracy:
    """When an image has nodes enough.

    gap    relative completeness gap it may have; None = any.
    error  relative error its map may have, as estimated; None = any.
    most   forward and backward rows it may take.
    """

    gap: float | None
    error: float | None
    most: int

    def nodes(self, kept: int) -> int:
        """Nodes it may have, if the gradients of so many are kept and the others cost two rows."""
        return min(self.most, kept + max(self.most - kept, 0) // 2)


@dataclass(frozen=True)
class PathGradients:
    """Per sample, what came of its nodes.

    expected_sum  the sum that the map should have.
    error         estimated relative error of the map; NaN for a map of zero.
    notes         what was asked and is not reached, or "".
    """

    values: Float[Tensor, "b c *space"]
    expected_sum: Float[Tensor, " b"]
    error: Float[Tensor, " b"]
    probes: Int[Tensor, " b"]
    notes: tuple[str, ...]


class Place(NamedTuple):
    """A point of a path of an image."""

    image: int
    path: int
    alpha: float


class Node(NamedTuple):
    """A place with f, Σ t and the sketch of t there, and t itself if it is kept."""

    place: Place
    score: float
    slope: float
    sketch: Float[Tensor, " k"]
    step: Float[Tensor, "c *space"] | None


class Piece(NamedTuple):
    """A part of a path, and what the trapezoid misses on it; h is its share of all paths."""

    left: Node
    right: Node
    h: float
    gap: float
    error: float

    @property
    def middle(self) -> Place:
        return self.left.place._replace(alpha=(self.left.place.alpha + self.right.place.alpha) / 2)


@dataclass
class PathRefinement:
    """The paths of one image: their pieces, in order."""

    paths: int
    pieces: list[Piece] = field(default_factory=list)
    nodes: int = 0

    def add(self, nodes: Sequence[Node]) -> None:
        """The first nodes, along each path; or later the middles of some of the pieces, which become two each."""
        middles = {node.place: node for node in nodes}
        if self.nodes:
            self.pieces = [part for piece in self.pieces for part in self._halves(piece, middles.get(piece.middle))]
        else:
            self.pieces = [self._piece(a, b) for a, b in pairwise(nodes) if a.place.path == b.place.path]
        self.nodes += len(nodes)

    def _halves(self, piece: Piece, middle: Node | None) -> list[Piece]:
        return [piece] if middle is None else [self._piece(piece.left, middle), self._piece(middle, piece.right)]

    def _piece(self, left: Node, right: Node) -> Piece:
        h = (right.place.alpha - left.place.alpha) / self.paths
        gap = h * (left.slope + right.slope) / 2 - (right.score - left.score) / self.paths
        return Piece(left, right, h, gap, h * float((right.sketch - left.sketch).norm()) / sqrt(12))

    @property
    def expected_sum(self) -> float:
        """Mean over the paths of f(x) − f(b)."""
        return sum(piece.right.score - piece.left.score for piece in self.pieces) / self.paths

    @property
    def gap(self) -> float:
        """Relative completeness gap; infinite where a sum of zero is missed."""
        missed, expected = abs(sum(piece.gap for piece in self.pieces)), abs(self.expected_sum)
        return missed / expected if expected else inf if missed else 0.0

    @property
    def error(self) -> float:
        """Estimated relative error of the map, lengths by the sketches; NaN for a map of zero."""
        total = torch.zeros_like(self.pieces[0].left.sketch)
        for node, weight in self.weighted():
            total += weight * node.sketch
        size = float(total.norm())
        return sqrt(sum(piece.error**2 for piece in self.pieces)) / size if size else nan

    def weighted(self) -> list[tuple[Node, float]]:
        """Each node with its weight."""
        found: dict[Place, tuple[Node, float]] = {}
        for piece in self.pieces:
            for node in (piece.left, piece.right):
                found[node.place] = node, found.get(node.place, (node, 0.0))[1] + piece.h / 2
        return list(found.values())

    def wanted(self, accuracy: Accuracy, kept: int) -> list[Place]:
        """Where to add nodes: nowhere if the image is accurate enough, or has as many as it may have."""
        if accuracy.error is not None and self.error > accuracy.error:
            burdens = [piece.error for piece in self.pieces]
        elif accuracy.gap is not None and self.gap > accuracy.gap:
            burdens = [abs(piece.gap) for piece in self.pieces]
        else:
            return []
        n = min(max(1, len(burdens) // HALVED), accuracy.nodes(kept) - self.nodes)
        return [self.pieces[j].middle for j in sorted(sorted(range(len(burdens)), key=lambda j: -burdens[j])[:n])]

    def note(self, accuracy: Accuracy) -> str:
        """What was asked and is not reached; empty if there is nothing."""
        asked = [("relative gap", self.gap, accuracy.gap), ("map error", self.error, accuracy.error)]
        missed = [f"{what} {found:.2g}, asked {limit:g}" for what, found, limit in asked if limit is not None and found > limit]
        return f"stopped at {self.nodes} nodes, the most for {accuracy.most} rows, with {' and '.join(missed)}" if missed else ""


def path_gradients(
    model: Model,
    images: Float[Tensor, "b c *space"],
    target: Int[Tensor, " b"],
    start: Start,
    paths: int,
    accuracy: Accuracy,
) -> PathGradients:
    """Mean over an image's paths of the integrals from their starts to the image, as accurate as asked.

    Cost: at most `accuracy.most` forward and backward rows an image, which must be two a path or more.
    """
    copies = copies_in_memory(model, images)
    kept = min(KEPT, copies, accuracy.most)
    pieces = min(PIECES, accuracy.nodes(kept) // paths - 1)
    axes = (-1, *[1] * (images.ndim - 1))

    def steps(places: Sequence[Place]) -> Iterator[tuple[Tensor, float, float, Tensor]]:
        """t, f, Σ t and the sketch of t, at each place."""

        def compute(rows: range) -> tuple[Tensor, list[float], list[float], Tensor]:
            sample, path, alpha = map(list, zip(*places[rows.start : rows.stop], strict=True))
            begin = start(sample, path)
            way = images[sample] - begin
            grad, explained = gradient(model, begin + images.new_tensor(alpha).view(axes) * way, target[sample])
            step = grad * way
            flat = step.flatten(1)
            return step, explained.tolist(), flat.double().sum(1).tolist(), count_sketch(flat)

        for _, found in in_chunks(model, images, len(places), compute, "gradient"):
            yield from zip(*found, strict=True)

    def refined(group: range) -> dict[int, PathRefinement]:
        courses = {i: PathRefinement(paths) for i in group}
        wanted = {i: [Place(i, p, j / pieces) for p in range(paths) for j in range(pieces + 1)] for i in group}
        while wanted:
            places = [place for of_image in wanted.values() for place in of_image]
            nodes: dict[int, list[Node]] = {i: [] for i in wanted}
            for place, (step, score, slope, short) in zip(places, steps(places), strict=True):
                i = place.image
                keep = courses[i].nodes + len(nodes[i]) < kept
                nodes[i].append(Node(place, score, slope, short.clone(), step.clone() if keep else None))
            for i, found in nodes.items():
                courses[i].add(found)
            wanted = {i: more for i in wanted if (more := courses[i].wanted(accuracy, kept))}
        return courses

    values = torch.zeros_like(images)
    expected_sum, error, used = images.new_zeros(len(images)), images.new_zeros(len(images)), torch.zeros_like(target)
    notes: list[str] = []
    at_once = max(1, copies // kept)
    for first in range(0, len(images), at_once):
        again: list[tuple[Place, float]] = []
        for i, course in refined(range(len(images))[first : first + at_once]).items():
            expected_sum[i], error[i], used[i] = course.expected_sum, course.error, course.nodes
            notes.append(course.note(accuracy))
            for node, weight in course.weighted():
                if node.step is None:
                    again.append((node.place, weight))
                else:
                    values[i] += weight * node.step
        for (place, weight), (step, *_) in zip(again, steps([place for place, _ in again]), strict=True):
            values[place.image] += weight * step
    return PathGradients(values, expected_sum, error, used, tuple(notes))
