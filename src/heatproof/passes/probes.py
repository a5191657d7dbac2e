"""The streaming engine: A(x) = Σ_k w_k ⊙ ∇f(z_k), for every gradient method.

Images × probes are flattened into one stream of rows and pass through the network in chunks of any size ≥ 1. A chunk is built when
its turn comes and dropped after, so memory = one chunk + the result, whatever the number of images or probes. Each sample's
rows are added in the order of k: the chunk size and the batch change nothing but rounding in the network itself.

Split-half standard error: probes fall into independent groups (draws); the sums over even and odd groups are kept apart. With
A₀, A₁ their means over n₀, n₁ of n groups, Var(A) = Var(A₀ − A₁) n₀ n₁ / n², which gives the relative error
‖A₀ − A₁‖ √(n₀ n₁) / (n ‖A‖).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.models.model import Model
from heatproof.passes.forward import chunks
from heatproof.passes.gradient import gradient
from heatproof.perturb.draws import Draws


class Probe(NamedTuple):
    """Where the gradient is taken, and what it is multiplied by; `weight` broadcasts against `at`."""

    at: Float[Tensor, "r c *space"]
    weight: Tensor | float


@runtime_checkable
class ProbeSource(Protocol):
    """What the engine asks of a method."""

    def n_probes(self) -> int:
        """Probes an image."""
        ...

    def group(self, k: int) -> int:
        """Independent group of probe k; probes that share randomness share a group."""
        ...

    def probe(self, model: Model, images: Tensor, draws: Draws, k: Sequence[int]) -> Probe:
        """Row r probes image r at its k[r]-th point."""
        ...


@dataclass(frozen=True)
class WeightedGradients:
    """The sum per sample, its relative standard error (NaN for fewer than two groups) and the score at every probe."""

    values: Float[Tensor, "b c *space"]
    standard_error: Float[Tensor, " b"]
    scores: Float[Tensor, "b k"]


def weighted_gradients(
    model: Model, images: Float[Tensor, "b c *space"], target: Int[Tensor, " b"], draws: Draws, source: ProbeSource
) -> WeightedGradients:
    """Stream all probes of all images. Cost: `n_probes` forward and backward rows an image."""
    n = source.n_probes()
    halves = torch.zeros(2, *images.shape, dtype=images.dtype, device=images.device)
    scores = images.new_empty(len(images), n)
    with model.running():
        for rows in chunks(len(images) * n, model.chunk):
            sample, k = [row // n for row in rows], [row % n for row in rows]
            probe = source.probe(model, images[sample], draws.rows(sample), k)
            grad, explained = gradient(model, probe.at, target[sample])
            scores[sample, k] = explained
            for row, (i, index) in enumerate(zip(sample, k, strict=True)):
                weight = probe.weight[row] if isinstance(probe.weight, Tensor) else probe.weight
                halves[source.group(index) % 2, i].addcmul_(grad[row], torch.as_tensor(weight).to(grad))
    values = halves.sum(0)
    return WeightedGradients(values, split_half_error(halves, {source.group(k) for k in range(n)}), scores)


def split_half_error(halves: Float[Tensor, "2 b c *space"], groups: set[int]) -> Float[Tensor, " b"]:
    """Relative standard error of the sum of two half sums, each over its share of the groups and divided by the number of all."""
    n = len(groups)
    odd = sum(group % 2 for group in groups)
    if min(odd, n - odd) == 0:
        return halves.new_full((halves.shape[1],), torch.nan)
    gap = halves[0] * (n / (n - odd)) - halves[1] * (n / odd)
    size = halves.sum(0).flatten(1).norm(dim=1)
    error = gap.flatten(1).norm(dim=1) * ((n - odd) * odd) ** 0.5 / n
    return torch.where(size > 0, error / size, torch.nan)
