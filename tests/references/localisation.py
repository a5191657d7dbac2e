"""Pointing game and energy in the mask, one pixel at a time, float64."""

import math

from torch import Tensor


def pixels(region: Tensor) -> list[tuple[int, int]]:
    return [(i, j) for i in range(region.shape[0]) for j in range(region.shape[1]) if region[i, j]]


def pointing_game(values: Tensor, region: Tensor, tolerance: int) -> float:
    """Zhang et al., section 5.1, with the expected hit where several pixels are highest. A map `[c, h, w]`, a region `[h, w]`."""
    summed = values.double().sum(0)
    highest = [(i, j) for i in range(summed.shape[0]) for j in range(summed.shape[1]) if summed[i, j] == summed.max()]
    hits = [min(math.dist(point, pixel) for pixel in pixels(region)) <= tolerance for point in highest]
    return sum(hits) / len(hits)


def energy_in_mask(values: Tensor, region: Tensor) -> float:
    """Wang et al., section 4.3."""
    summed = values.double().sum(0)
    inside = outside = 0.0
    for i in range(summed.shape[0]):
        for j in range(summed.shape[1]):
            energy = max(float(summed[i, j]), 0.0)
            inside, outside = (inside + energy, outside) if region[i, j] else (inside, outside + energy)
    return inside / (inside + outside)


def relevance_mass(values: Tensor, region: Tensor, exponent: float) -> float:
    """Arras et al.: the norm of the channels at each pixel, raised to the exponent."""
    inside = total = 0.0
    for i in range(region.shape[0]):
        for j in range(region.shape[1]):
            mass = math.sqrt(sum(float(channel) ** 2 for channel in values[:, i, j].double())) ** exponent
            inside, total = inside + mass * bool(region[i, j]), total + mass
    return inside / total


def expected_hits(values: Tensor, region: Tensor, k: int) -> float:
    """The hits among the k highest pixels, where the last tie at random."""
    summed = values.double().sum(0)
    order = sorted((float(summed[i, j]), bool(region[i, j])) for i in range(summed.shape[0]) for j in range(summed.shape[1]))[::-1]
    lowest = order[k - 1][0]
    sure = [hit for value, hit in order if value > lowest]
    tied = [hit for value, hit in order if value == lowest]
    return sum(sure) + (k - len(sure)) * sum(tied) / len(tied)


def relevance_rank(values: Tensor, region: Tensor) -> float:
    """Arras et al."""
    return expected_hits(values, region, len(pixels(region))) / len(pixels(region))


def top_intersection(values: Tensor, region: Tensor, k: int) -> float:
    """Theiner et al., over the largest possible intersection."""
    return expected_hits(values, region, k) / min(k, len(pixels(region)))


def best_overlap(values: Tensor, region: Tensor) -> float:
    """Every value of the map as a threshold."""
    summed, target = values.double().sum(0), set(pixels(region))
    best = 0.0
    for threshold in {float(value) for value in summed.flatten()}:
        chosen = set(pixels(summed >= threshold))
        best = max(best, len(chosen & target) / len(chosen | target))
    return best


def region_auc(values: Tensor, region: Tensor) -> float:
    """Every pair of a place inside and one outside; half a point for a tie."""
    summed = values.double().sum(0)
    inside, outside = summed[region == 1].tolist(), summed[region == 0].tolist()
    return sum((a > b) + (a == b) / 2 for a in inside for b in outside) / (len(inside) * len(outside))


def truth_correlation(values: Tensor, truth: Tensor) -> float:
    """Kendall's τ_b over every pair of places that count."""
    counted = [(float(a), float(t)) for a, t in zip(values.double().sum(0).flatten(), truth.flatten(), strict=True) if t == t]
    agreement = untied_map = untied_truth = 0
    for i, (a, t) in enumerate(counted):
        for b, u in counted[:i]:
            signs = (a > b) - (a < b), (t > u) - (t < u)
            agreement += signs[0] * signs[1]
            untied_map, untied_truth = untied_map + abs(signs[0]), untied_truth + abs(signs[1])
    return agreement / math.sqrt(untied_map * untied_truth)
