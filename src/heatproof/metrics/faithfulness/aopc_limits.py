"""The least and the largest area over the perturbation curve that any order of the regions has on an image, by a beam search.

    limits = min and max, over orders of the regions, of 1/(K + 1) Σ_{k=0}^{K} (f(x) − f(x^(k)))

The exact limits need every set of up to K regions. The search adds one region at a time and goes on with the `beam` sets whose sums
of drops so far are largest (or least); a set that is reached by several orders is computed once and goes on with the best of them.
The limits are thus those of orders that exist: the upper one is never too high, nor the lower one too low. They depend on no map.

Cost: for each limit and draw of the fill, at most Σ_{k<K} min(beam, C(m, k)) (m − k) forward passes for m regions, and exactly so
for a beam of 1.
"""

from math import comb

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.wide import wide_type
from heatproof.passes.masked_scores import MaskedInputs, masked_scores
from heatproof.passes.removal_curves import RemovalSteps

Path = tuple[frozenset[int], float]
"""The regions that are absent, and the sum of the drops on the way."""


def limit_passes(regions: int, last: int, beam: int) -> int:
    """The largest number of forward passes of both limits, for one draw of the fill.

    >>> from heatproof.metrics.faithfulness.aopc_limits import limit_passes
    >>> limit_passes(16, 16, beam=1)
    272
    """
    return 2 * sum(min(beam, comb(regions, k)) * (regions - k) for k in range(last))


def aopc_limits(
    inputs: MaskedInputs, clean: Float[Tensor, " b"], steps: RemovalSteps, beam: int, draws: int
) -> Float[Tensor, "b draws 2"]:
    """The lower and the upper limit of the mean drop over the points of a curve, for each image and draw of the fill.

    Args:
        inputs: The images and the fill; with feature groups, or with every place a region of its own.
        clean: The score of each clean image.
        steps: How many regions are treated at each point.
        beam: The number of sets that the search goes on with.
        draws: The number of draws of the fill.
    """
    searches = [(i, d, sign) for i in range(len(inputs.images)) for d in range(draws) for sign in (-1, 1)]
    beams: list[list[Path]] = [[(frozenset(), 0.0)] for _ in searches]
    for count in range(1, max(counts[-1] for counts in steps.counts) + 1):
        wanted = []  # of each search, the sets that its beam grows to, with the largest sum of those that it grows from
        for (i, _, sign), paths in zip(searches, beams, strict=True):
            grown: dict[frozenset[int], float] = {}
            for absent, total in paths if count <= steps.counts[i][-1] else []:
                for region in range(steps.sizes[i]):
                    if region not in absent:
                        larger = absent | {region}
                        grown[larger] = max(grown.get(larger, -torch.inf), sign * total)
            wanted.append(grown)
        drops = _drops(inputs, clean, steps, [(i, d, [*grown]) for (i, d, _), grown in zip(searches, wanted, strict=True)])
        for s, ((i, _, sign), grown) in enumerate(zip(searches, wanted, strict=True)):
            if grown:
                weight = steps.counts[i].count(count)
                totals = [sign * best + weight * drop for best, drop in zip(grown.values(), drops[s], strict=True)]
                paths = sorted(zip(grown, totals, strict=True), key=lambda path, sign=sign: -sign * path[1])  # type: ignore[misc]
                beams[s] = paths[:beam]
    best = [max(sign * total for _, total in paths) * sign for (*_, sign), paths in zip(searches, beams, strict=True)]
    points = len(steps.counts[0])
    return clean.new_tensor(best, dtype=wide_type(clean.dtype)).view(len(inputs.images), draws, 2) / points


def _drops(
    inputs: MaskedInputs, clean: Tensor, steps: RemovalSteps, searches: list[tuple[int, int, list[frozenset[int]]]]
) -> list[list[float]]:
    """The drop of each set of each search; one stream of passes for all."""
    jobs: list[list[tuple[int, int, frozenset[int]]]] = [[] for _ in inputs.images]
    for s, (i, d, sets) in enumerate(searches):
        jobs[i] += [(s, d, absent) for absent in sets]
    most, shape = max(steps.sizes), inputs.images.shape
    places = shape[1:] if len(shape) == 2 else (1, *shape[2:])

    def present(image: list[int], k: list[int]) -> Tensor:
        masks = torch.ones(len(image), most, dtype=torch.bool)
        for row, i, j in zip(masks, image, k, strict=True):
            row[list(jobs[i][j][2])] = False
        masks = masks.to(inputs.images.device)
        return masks if inputs.groups is not None else masks.view(-1, *places)

    drops: list[list[float]] = [[] for _ in searches]
    draws = lambda image, k: [jobs[i][j][1] for i, j in zip(image, k, strict=True)]  # noqa: E731
    for chunk in masked_scores(inputs, [len(each) for each in jobs], present, draws):
        for i, j, score in zip(chunk.image, chunk.k, chunk.scores.tolist(), strict=True):
            drops[jobs[i][j][0]].append(float(clean[i]) - score)
    return drops
