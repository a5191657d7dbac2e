"""The streaming engine: A(x) = Σ_k w_k ⊙ ∇f(z_k), for every gradient method.

    z_k the k-th probe point of an image x, w_k its weight, f the explained score

The probes of all images are one stream of passes (`passes/variants.py`) in chunks of any size ≥ 1. A chunk is built when its turn
comes and dropped afterwards, so that memory is that of one chunk and of the result, whatever the number of images or probes. The
gradients of an image are added in the order of k, so that neither the chunk size nor the batch changes more than rounding inside
the network. They are added in float32 even where the network computes in half precision, and the sum is rounded once, at the end.

With a tolerance, probes come in rounds and an image whose map is accurate enough gets no further probes (see
`passes/adaptive_sampling.py`). A source whose probes depend on earlier results receives the results of each chunk, and uses them
only from the next round on, so that its probes do not depend on the chunk size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.models.model import Model
from heatproof.numerics.wide import wide_type
from heatproof.passes.adaptive_sampling import AdaptiveSampling
from heatproof.passes.gradient import gradient
from heatproof.perturb.draws import Draws


class Probe(NamedTuple):
    """The points at which gradients are taken, and the factors by which they are multiplied.

    at      The points `[r, c, …]`.
    weight  Their weights, which broadcast against `at`. In half precision, they are best given in float32.
    """

    at: Float[Tensor, "r c *space"]
    weight: Tensor | float


@runtime_checkable
class ProbeSource(Protocol):
    """What a method provides to the engine."""

    def n_probes(self) -> int:
        """The number of probes of an image."""
        ...

    def group(self, k: int) -> int:
        """The number of the independent group of probe k; probes that share random numbers share a group."""
        ...

    def probe(self, model: Model, images: Tensor, draws: Draws, k: Sequence[int]) -> Probe:
        """Probe number `k[r]` of image r, for each of the images `[r, c, …]` of a chunk; an image may occur several times."""
        ...


@runtime_checkable
class Learner(ProbeSource, Protocol):
    """A source whose probes depend on the results of earlier probes. Each call needs a source of its own."""

    def learn(self, draws: Draws, k: Sequence[int], sizes: Float[Tensor, " r"]) -> None:
        """Take note of the norms `[r]` of weighted gradients, of probe `k[r]` for each image r of a chunk; called once a chunk."""
        ...

    def renew(self) -> None:
        """Let further probes depend on all results so far; called at the end of a round."""
        ...


@dataclass(frozen=True)
class WeightedGradients:
    """The weighted sum of gradients for each image, and what was measured on the way.

    values          The sums `[b, c, …]`. Where fewer than n probes were used, the sum is multiplied by n over their number.
    standard_error  The relative standard error of each sum `[b]`; NaN for fewer than two groups of probes.
    scores          The scores `[b, k]` at the probe points; zero for probes that were not used.
    probes          The number of probes used for each image `[b]`; these are the first ones.
    notes           For each image, a note that it is less accurate than the tolerance, or "".
    """

    values: Float[Tensor, "b c *space"]
    standard_error: Float[Tensor, " b"]
    scores: Float[Tensor, "b k"]
    probes: Int[Tensor, " b"]
    notes: tuple[str, ...]

    @property
    def mean_score(self) -> Float[Tensor, " b"]:
        """The mean score of the probes used."""
        return self.scores.sum(1) / self.probes


def weighted_gradients(
    model: Model,
    images: Float[Tensor, "b c *space"],
    target: Int[Tensor, " b"],
    draws: Draws,
    source: ProbeSource,
    tolerance: float | None = None,
) -> WeightedGradients:
    """Sum the weighted gradients at the probe points of each image.

    Cost: `source.n_probes()` forward and backward passes an image; with a tolerance, this is the most that an image can take.

    Args:
        model: The network.
        images: The images `[b, c, …]`.
        target: The class to explain for each image `[b]`.
        draws: Each image's random draws.
        source: The probe points and weights; usually the method itself.
        tolerance: The relative standard error at which an image needs no further probes; None means that all probes are used.

    Returns:
        The sums, their standard errors, and the scores at the probe points.
    """
    n = source.n_probes()
    learner = source if isinstance(source, Learner) else None
    rounds = AdaptiveSampling(n, source.group, tolerance, learns=learner is not None)
    exact = wide_type(images.dtype)
    sums = images.new_zeros(rounds.parts, *images.shape, dtype=exact)
    scores = images.new_zeros(len(images), n, dtype=exact)

    def compute(image: list[int], k: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        probe = source.probe(model, images[image], draws.rows(image), k)
        grad, explained = gradient(model, probe.at, target[image])
        return grad, torch.as_tensor(probe.weight).to(grad.device, exact).expand_as(grad), explained

    def add(image: list[int], k: list[int], result: tuple[Tensor, Tensor, Tensor]) -> None:
        grad, weight, explained = result
        scores[image, k] = explained.to(exact)
        for row, (i, index) in enumerate(zip(image, k, strict=True)):
            sums[rounds.part(index), i].addcmul_(grad[row], weight[row])
        if learner:
            learner.learn(draws.rows(image), k, (grad * weight).flatten(1).norm(dim=1))

    def parts(unfinished: list[int], _: int) -> Tensor:
        if learner:
            learner.renew()
        return sums if len(unfinished) == len(images) else sums[:, unfinished]

    with model.running():
        used, error = rounds.run(model, images, compute, add, parts)
    values = sums.sum(0) * (n / used).to(sums).view(-1, *[1] * (images.ndim - 1))
    return WeightedGradients(values.to(images.dtype), error, scores, used, rounds.notes(used, error))
