"""Slow twins of PatternNet and PatternAttribution (Kindermans et al., ICLR 2018): patch by patch, unit by unit, in float64."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

Pair = tuple[Tensor, float]
"""A patch and w · patch."""


def pattern(weight: Tensor, bias: float, pairs: Sequence[Pair], *, positive: bool) -> Tensor:
    """The pattern of one unit: cov[x, y] / var[y], or its two-component form over active patches; all means by hand."""
    counted = [(x, y) for x, y in pairs if not positive or y + bias > 0]
    if not counted:
        return torch.zeros_like(weight)
    mean_y = sum(y for _, y in pairs) / len(pairs)
    mean_x = torch.stack([x for x, _ in counted]).mean(0)
    mean_xy = torch.stack([x * y for x, y in counted]).mean(0)
    covariance = mean_xy - mean_x * mean_y
    if not positive:
        return covariance / (sum(y * y for _, y in pairs) / len(pairs) - mean_y**2)
    return covariance / ((weight * mean_xy).sum() - (weight * mean_x).sum() * mean_y)


def convolution_patches(layer: nn.Conv2d, x: Tensor) -> Iterator[tuple[int, int, int, int, Tensor]]:
    """(sample, unit, row, column, patch) for every output; x `[b, c, h, w]`."""
    (up, left), (down, right), (high, wide) = layer.padding, layer.stride, layer.kernel_size
    padded = nn.functional.pad(x, (left, left, up, up))
    units, inputs = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    for sample, image in enumerate(padded):
        for unit in range(layer.out_channels):
            first = unit // units * inputs
            for i in range((image.shape[1] - high) // down + 1):
                for j in range((image.shape[2] - wide) // right + 1):
                    at = slice(i * down, i * down + high), slice(j * right, j * right + wide)
                    yield sample, unit, i, j, image[(slice(first, first + inputs), *at)]


def convolution_patterns(layer: nn.Conv2d, weight: Tensor, bias: Tensor, x: Tensor, *, positive: bool) -> Tensor:
    pairs: list[list[Pair]] = [[] for _ in weight]
    for _, unit, _, _, patch in convolution_patches(layer, x):
        pairs[unit].append((patch, float((weight[unit] * patch).sum())))
    return torch.stack([pattern(weight[u], float(bias[u]), pairs[u], positive=positive) for u in range(len(weight))])


def dense_patterns(weight: Tensor, bias: Tensor, x: Tensor, *, positive: bool) -> Tensor:
    """Rows of x `[…, inputs]` are patches."""
    rows, found = list(x.reshape(-1, x.shape[-1])), []
    for w, b in zip(weight, bias, strict=True):
        found.append(pattern(w, float(b), [(row, float(w @ row)) for row in rows], positive=positive))
    return torch.stack(found)


def jacobian_patterns(layer: nn.Module, x: Tensor, outputs: int, *, positive: bool) -> Tensor:
    """For any layer that is linear in its weight: the patch of an output is its derivative with respect to the weight."""
    weight, bias = layer.weight.detach(), torch.zeros(99) if layer.bias is None else layer.bias.detach()
    unbiased = {} if layer.bias is None else {"bias": bias * 0}

    def apply(w: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": w} | unbiased, x)

    y, patches = apply(weight), torch.autograd.functional.jacobian(apply, weight)
    found = torch.zeros_like(weight)
    for unit in range(weight.shape[outputs]):
        own = patches.select(1, unit).flatten(0, -weight.ndim - 1).select(outputs + 1, unit)
        pairs = list(zip(own, y.select(1, unit).flatten().tolist(), strict=True))
        found.select(outputs, unit).copy_(pattern(weight.select(outputs, unit), float(bias[unit]), pairs, positive=positive))
    return found


def through_convolution(layer: nn.Conv2d, weight: Tensor, x: Tensor, relevance: Tensor) -> Tensor:
    """R_in = Lᵀ R for one image, every output handed to its patch by hand."""
    (up, left), (down, right), (high, wide) = layer.padding, layer.stride, layer.kernel_size
    found = torch.zeros(x.shape[0], x.shape[1] + 2 * up, x.shape[2] + 2 * left, dtype=x.dtype)
    units, inputs = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    for unit in range(relevance.shape[0]):
        first = unit // units * inputs
        for i in range(relevance.shape[1]):
            for j in range(relevance.shape[2]):
                at = slice(i * down, i * down + high), slice(j * right, j * right + wide)
                found[(slice(first, first + inputs), *at)] += weight[unit] * relevance[unit, i, j]
    return found[:, up : up + x.shape[1], left : left + x.shape[2]]


def through_max_pool(side: int, x: Tensor, relevance: Tensor) -> Tensor:
    """All to the winner of each window, for one image."""
    found = torch.zeros_like(x)
    for c in range(relevance.shape[0]):
        for i in range(relevance.shape[1]):
            for j in range(relevance.shape[2]):
                window = x[c, i * side : (i + 1) * side, j * side : (j + 1) * side]
                row, column = divmod(int(window.argmax()), window.shape[1])
                found[c, i * side + row, j * side + column] += relevance[c, i, j]
    return found
