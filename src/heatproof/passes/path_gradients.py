"""Integrals of the gradient along straight paths, by a trapezoidal rule whose nodes are added where the error is large.

    A = Σ_p h_p (t(left) + t(right)) / 2,    t(α) = (x − b) ⊙ ∇f(b + α (x − b)),    Σ_p h_p = 1

x is the image, b the start of the path, f the explained score, and α the position on the path. The path is divided into pieces;
piece p has length h_p and its end points are two nodes, left and right. The backward pass at a node gives f there as well, so that
for each piece two quantities are known: how far the trapezoid is from the change of f, and how much the gradient changes.

    gap_p   = h_p (Σ t(left) + Σ t(right)) / 2 − (f(right) − f(left))
    error_p = ‖e_p‖,    e_p = h_p (t(right) − t(left)) / √12

The estimated error of the map, by which it should not be further from the integral, is

    error² = S + 3 √V,    S = Σ_p ‖e_p‖²,    V = 2 Σ_pq ⟨e_p, e_q⟩² − 1.2 Σ_p ‖e_p‖⁴

A path begins with `PIECES` equal pieces. Each round halves a quarter of an image's pieces. With a tolerance τ on the map's error,
these are the pieces of largest error_p, until error ≤ τ ‖A‖. With a tolerance on the gap, they are the pieces of largest
|gap_p|, until |Σ gap_p| ≤ τ |f(x) − f(b)|. With both, the error comes first.

Why: along a path, the gradient of a piecewise linear network is constant except for jumps. A jump J at the share u of a piece
gives the trapezoid an error of J h (u − ½). If the shares u are uniform and independent, the square of the map's error has the mean
S and the variance V. S alone is an estimate of the error, not a bound: a network without biases has, on the path from zero, one
jump, and that at the very start, where u = 0 and the error is √3 times √S. Hence the margin of three standard deviations, which
covers one jump wherever it lies, and twice the standard deviation of many jumps in one direction. It vanishes where many jumps in
different directions add up, whose sum is close to its mean. Where the gradient changes evenly, the error is overstated. Gaps, on
the other hand, cancel, and may do so by chance: a map with a gap of 5 % may have an error of 15 %. So a tolerance on the map's
error is the stricter one. Measured: docs/project/measurements/paths.md.

Memory: for each node, a sketch of its gradient is stored (see `numerics/count_sketch.py`), from which norms are estimated, and
for the first `CACHED_GRADIENTS` nodes of an image the gradient itself. The gradients of further nodes are computed again at the
end, when their weights are known. Images are processed in groups whose stored gradients fit in memory beside a chunk.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import hypot, inf, nan, sqrt
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.models.model import Model
from heatproof.numerics.count_sketch import count_sketch
from heatproof.numerics.wide import wide, wide_type
from heatproof.passes.gradient import gradient
from heatproof.passes.memory import copies_in_memory, in_chunks

PIECES = 8
"""The number of pieces of a path in the first round."""
HALVED = 4
"""One in this many pieces of an image is halved in a round."""
CACHED_GRADIENTS = 64
"""The number of gradients that are stored for an image."""
MARGIN = 3.0
"""By how many standard deviations the estimated square of a map's error exceeds its mean."""
BLOCK = 64
"""The number of pieces of a path that are compared with all others at a time, which bounds the memory."""

Start = Callable[[list[int], list[int]], Tensor]
"""`start(image, path)` gives the start of a path of an image, for each pass of a chunk."""


@dataclass(frozen=True)
class Accuracy:
    """When an image needs no more nodes.

    gap    The largest relative completeness gap; None sets no limit.
    error  The largest estimated relative error of the map; None sets no limit.
    most   The largest number of forward and of backward passes.
    """

    gap: float | None
    error: float | None
    most: int

    def nodes(self, cached: int) -> int:
        """The largest number of nodes, if the gradients of so many are stored and all others are computed twice."""
        return min(self.most, cached + max(self.most - cached, 0) // 2)


@dataclass(frozen=True)
class PathGradients:
    """The maps of some images, and how accurate they are.

    values        The maps `[b, c, …]`.
    expected_sum  What each map should sum to `[b]`.
    error         The relative error of each map `[b]` by the estimate above; NaN for a map of zero.
                  Where there are several paths, it includes the standard error over these.
    probes        The number of nodes of each image `[b]`.
    notes         For each image, a note that a tolerance was not reached, or "".
    """

    values: Float[Tensor, "b c *space"]
    expected_sum: Float[Tensor, " b"]
    error: Float[Tensor, " b"]
    probes: Int[Tensor, " b"]
    notes: tuple[str, ...]


class Place(NamedTuple):
    """A point on a path of an image."""

    image: int
    path: int
    alpha: float


class Node(NamedTuple):
    """A place with f, Σ t and the sketch of t there, and t itself if it is stored."""

    place: Place
    score: float
    slope: float
    sketch: Float[Tensor, " k"]
    term: Float[Tensor, "c *space"] | None


class Piece(NamedTuple):
    """A piece between two nodes of a path, with its gap and its error; h is its share of the length of all paths."""

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
    """The pieces of the paths of one image, in order."""

    paths: int
    pieces: list[Piece] = field(default_factory=list)
    nodes: int = 0

    def add(self, nodes: Sequence[Node]) -> None:
        """Add the first nodes, in order along each path; or later the middles of some pieces, each of which is split in two."""
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
        """The mean of f(x) − f(b) over the paths."""
        return sum(piece.right.score - piece.left.score for piece in self.pieces) / self.paths

    @property
    def gap(self) -> float:
        """The relative completeness gap; infinite where the sum should be zero and is not."""
        missed, expected = abs(sum(piece.gap for piece in self.pieces)), abs(self.expected_sum)
        return missed / expected if expected else inf if missed else 0.0

    @property
    def error(self) -> float:
        """The estimated relative error of the map, with norms from the sketches; NaN for a map of zero."""
        total = torch.zeros_like(self.pieces[0].left.sketch)
        for node, weight in self.weighted():
            total += weight * node.sketch
        size = float(total.norm())
        changes = total.new_empty(len(self.pieces), len(total))
        for change, piece in zip(changes, self.pieces, strict=True):
            torch.sub(piece.right.sketch, piece.left.sketch, out=change).mul_(piece.h / sqrt(12))
        squares = changes.norm(dim=1).double().square()
        inner = 0.0
        for at in range(0, len(changes), BLOCK):
            inner += float((changes[at : at + BLOCK] @ changes.T).double().square().sum())
        variance = 2 * inner - 1.2 * float(squares.square().sum())
        return sqrt(float(squares.sum()) + MARGIN * sqrt(max(variance, 0.0))) / size if size else nan

    @property
    def spread(self) -> float:
        """The relative standard error of the map over the paths, with norms from the sketches; 0 for one path."""
        if self.paths == 1:
            return 0.0
        each = torch.zeros(self.paths, len(self.pieces[0].left.sketch))
        for node, weight in self.weighted():
            each[node.place.path] += weight * self.paths * node.sketch.cpu()
        size = float(each.mean(0).norm())
        return float(each.var(0).sum() / self.paths) ** 0.5 / size if size else nan

    def weighted(self) -> list[tuple[Node, float]]:
        """Each node with its weight in the integral."""
        nodes: dict[Place, tuple[Node, float]] = {}
        for piece in self.pieces:
            for node in (piece.left, piece.right):
                nodes[node.place] = node, nodes.get(node.place, (node, 0.0))[1] + piece.h / 2
        return list(nodes.values())

    def wanted(self, accuracy: Accuracy, cached: int) -> list[Place]:
        """Where to add nodes in the next round; empty if the map is accurate enough, or has as many nodes as it may have."""
        if accuracy.error is not None and self.error > accuracy.error:
            burdens = [piece.error for piece in self.pieces]
        elif accuracy.gap is not None and self.gap > accuracy.gap:
            burdens = [abs(piece.gap) for piece in self.pieces]
        else:
            return []
        n = min(max(1, len(burdens) // HALVED), accuracy.nodes(cached) - self.nodes)
        return [self.pieces[j].middle for j in sorted(sorted(range(len(burdens)), key=lambda j: -burdens[j])[:n])]

    def note(self, accuracy: Accuracy) -> str:
        """A note that a tolerance was not reached; empty if both were."""
        limits = [("relative gap", self.gap, accuracy.gap), ("map error", self.error, accuracy.error)]
        missed = [f"{name} {value:.2g}, asked {limit:g}" for name, value, limit in limits if limit is not None and value > limit]
        return f"stopped at {self.nodes} nodes, the most for {accuracy.most} passes, with {' and '.join(missed)}" if missed else ""


def path_gradients(
    model: Model,
    images: Float[Tensor, "b c *space"],
    target: Int[Tensor, " b"],
    start: Start,
    paths: int,
    accuracy: Accuracy,
) -> PathGradients:
    """The mean, over the paths of each image, of the integral of the gradient from the path's start to the image.

    Cost: at most `accuracy.most` forward and backward passes an image, which must be two a path or more.

    Args:
        model: The network.
        images: The images `[b, c, …]`.
        target: The class to explain for each image `[b]`.
        start: `start(image, path)` gives the start of path `path[r]` of image `image[r]`, for each pass r of a chunk.
        paths: The number of paths of an image.
        accuracy: When an image needs no more nodes, and how many passes it may take.

    Returns:
        The maps, with what each should sum to and its estimated error.
    """
    exact = wide_type(images.dtype)
    copies = copies_in_memory(model, wide(images[:1]))
    cached = min(CACHED_GRADIENTS, copies, accuracy.most)
    pieces = min(PIECES, accuracy.nodes(cached) // paths - 1)
    axes = (-1, *[1] * (images.ndim - 1))

    def terms(places: Sequence[Place]) -> Iterator[tuple[Tensor, float, float, Tensor]]:
        """t, f, Σ t and the sketch of t at each place."""

        def compute(passes: range) -> tuple[Tensor, list[float], list[float], Tensor]:
            image, path, alpha = map(list, zip(*places[passes.start : passes.stop], strict=True))
            begin = wide(start(image, path))
            difference = images[image] - begin
            at = begin + torch.tensor(alpha, device=images.device, dtype=exact).view(axes) * difference
            grad, explained = gradient(model, at.to(images.dtype), target[image])
            term = grad * difference
            flat = term.flatten(1)
            return term, explained.tolist(), flat.double().sum(1).tolist(), count_sketch(flat)

        for _, chunk in in_chunks(model, images, len(places), compute, "gradient"):
            yield from zip(*chunk, strict=True)

    def refined(group: range) -> dict[int, PathRefinement]:
        refinements = {i: PathRefinement(paths) for i in group}
        wanted = {i: [Place(i, p, j / pieces) for p in range(paths) for j in range(pieces + 1)] for i in group}
        while wanted:
            places = [place for of_image in wanted.values() for place in of_image]
            nodes: dict[int, list[Node]] = {i: [] for i in wanted}
            for place, (term, score, slope, short) in zip(places, terms(places), strict=True):
                i = place.image
                caches = refinements[i].nodes + len(nodes[i]) < cached
                nodes[i].append(Node(place, score, slope, short.clone(), term.clone() if caches else None))
            for i, added in nodes.items():
                refinements[i].add(added)
            wanted = {i: more for i in wanted if (more := refinements[i].wanted(accuracy, cached))}
        return refinements

    values, used = torch.zeros_like(images, dtype=exact), torch.zeros_like(target)
    expected, error = images.new_zeros(2, len(images), dtype=exact)
    notes: list[str] = []
    at_once = max(1, copies // cached)
    for first in range(0, len(images), at_once):
        again: list[tuple[Place, float]] = []
        for i, refinement in refined(range(len(images))[first : first + at_once]).items():
            expected[i], used[i] = refinement.expected_sum, refinement.nodes
            error[i] = hypot(refinement.error, refinement.spread)
            notes.append(refinement.note(accuracy))
            for node, weight in refinement.weighted():
                if node.term is None:
                    again.append((node.place, weight))
                else:
                    values[i] += weight * node.term
        for (place, weight), (term, *_) in zip(again, terms([place for place, _ in again]), strict=True):
            values[place.image] += weight * term
    return PathGradients(values.to(images.dtype), expected, error, used, tuple(notes))
