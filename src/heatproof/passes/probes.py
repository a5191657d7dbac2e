"""The streaming engine: A(x) = Σ_k w_k ⊙ ∇f(z_k), for every gradient method.

Images × probes are flattened into one stream of rows and pass through the network in chunks of any size ≥ 1. A chunk is built when
its turn comes and dropped after, so memory = one chunk + the result, whatever the number of images or probes. Each sample's
rows are added in the order of k: the chunk size and the batch change nothing but rounding in the network itself.

With a tolerance, probes come in rounds and an image whose map is accurate enough leaves the stream (see
`passes/adaptive_sampling.py`). A source that learns is told of each chunk and takes in what it was told between rounds, so that
chunks change nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.models.model import Model
from heatproof.passes.adaptive_sampling import AdaptiveSampling
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


@runtime_checkable
class Learner(ProbeSource, Protocol):
    """A source whose probes depend on what earlier ones found. One serves a single call."""

    def learn(self, draws: Draws, k: Sequence[int], sizes: Float[Tensor, " r"]) -> None:
        """Probe k[r] of image r had a weighted gradient of this length."""
        ...

    def renew(self) -> None:
        """A round is over: the next one may use what was learned."""
        ...


@dataclass(frozen=True)
class WeightedGradients:
    """The sum per sample, its relative standard error (NaN for fewer than two groups), and the score at every probe.

    Of sample i, `probes[i]` probes were used, the first ones; the others have no score (0), and the sum is scaled up accordingly.
    """

    values: Float[Tensor, "b c *space"]
    standard_error: Float[Tensor, " b"]
    scores: Float[Tensor, "b k"]
    probes: Int[Tensor, " b"]
    notes: tuple[str, ...]

    @property
    def mean_score(self) -> Float[Tensor, " b"]:
        """Mean over the probes used."""
        return self.scores.sum(1) / self.probes


def weighted_gradients(
    model: Model,
    images: Float[Tensor, "b c *space"],
    target: Int[Tensor, " b"],
    draws: Draws,
    source: ProbeSource,
    tolerance: float | None = None,
) -> WeightedGradients:
    """Stream the probes of all images. Cost: `n_probes` forward and backward rows an image, or fewer with a tolerance."""
    n = source.n_probes()
    learner = source if isinstance(source, Learner) else None
    rounds = AdaptiveSampling(n, source.group, tolerance, learns=learner is not None)
    sums = torch.zeros(rounds.parts, *images.shape, dtype=images.dtype, device=images.device)
    scores = images.new_zeros(len(images), n)

    def compute(sample: list[int], k: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        probe = source.probe(model, images[sample], draws.rows(sample), k)
        grad, explained = gradient(model, probe.at, target[sample])
        return grad, torch.as_tensor(probe.weight).to(grad).expand_as(grad), explained

    def add(sample: list[int], k: list[int], found: tuple[Tensor, Tensor, Tensor]) -> None:
        grad, weight, scores[sample, k] = found
        for row, (i, index) in enumerate(zip(sample, k, strict=True)):
            sums[rounds.part(index), i].addcmul_(grad[row], weight[row])
        if learner:
            learner.learn(draws.rows(sample), k, (grad * weight).flatten(1).norm(dim=1))

    def parts(still: list[int], _: int) -> Tensor:
        if learner:
            learner.renew()
        return sums if len(still) == len(images) else sums[:, still]

    with model.running():
        used, error = rounds.run(model, images, compute, add, parts)
    values = sums.sum(0) * (n / used).to(sums).view(-1, *[1] * (images.ndim - 1))
    return WeightedGradients(values, error, scores, used, rounds.notes(used, error))
