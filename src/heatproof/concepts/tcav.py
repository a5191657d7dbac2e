"""Testing with concept activation vectors: does a class grow if a layer moves towards a concept?

    S(x) = ∇_a f(x) · v,    TCAV = share of the images x with S(x) > 0

a is the activation of a layer for x, flattened, f the explained output, and v the concept activation vector: the normal of a linear
classifier that tells the activations of images of the concept from those of random images.

    v = w / ‖w‖,    w = X̃ᵀ (X̃ X̃ᵀ + λ t I)⁻¹ ỹ

X̃ are the activations [n, d] less their mean, ỹ the labels ±1 less theirs, and t the mean of the diagonal of X̃ X̃ᵀ: ridge regression
in closed form, with one unknown for each image rather than for each activation.

A vector differs from one set of random images to the next, and some vector can always be found. So each of `runs` vectors is fitted
against other random images, and so are as many *random concepts*, whose images are random ones too. Two tests ask whether the
concept differs from these, and it is significant if both say so:

    p           two-sided permutation test of the scores over the runs, as published. The runs of the concept share its images, so
                that any fixed set of images has scores that hardly vary, and differs from random ones too often.
    p_concepts  p = (1 + #{r : |c_r| ≥ |c̄|}) / (1 + runs),    c = mean over x of cos(∇_a f(x), v)
                the rank of the concept's mean cosine among those of the random concepts, each of which is a set of its own.

Cost: one forward pass for each image of the concept and random image, one forward and one backward pass for each explained image.
Source: Kim, Wattenberg, Gilmer, Cai, Wexler, Viegas & Sayres, "Interpretability beyond feature attribution: quantitative testing
with concept activation vectors (TCAV)", ICML 2018.
Differs from the paper because the classifier is fitted in closed form rather than by stochastic gradient descent, so that a score
depends on nothing but its images; because a permutation test replaces the t test, since scores at 0 or 1 are not normal; and
because of the second test.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.core.errors import SettingsError, TensorError
from heatproof.core.formatting import p_value, percent
from heatproof.core.seeds import derive, seed_of
from heatproof.models.model import Model
from heatproof.passes.activation import activation_gradients, activations
from heatproof.passes.inputs import Target, check_images, resolve_target
from heatproof.passes.network_checks import check_network
from heatproof.stats import ALPHA, permutation_p
from heatproof.stats.bootstrap import Floats

FEWEST = 4
"""The smallest number of images of a concept, and half of that of random images."""
HELD_OUT = 3
"""One of so many images is held out to measure the accuracy of a classifier."""


@dataclass(frozen=True)
class ConceptSensitivity:
    """What a concept does to the explained output.

    Attributes:
        layer: the name of the layer.
        scores: TCAV of the concept in each run.
        random_scores: TCAV of a random concept in each run.
        accuracies: in each run, the share of held-out images that the classifier of the concept tells right; 0.5 is chance.
        positive: for each explained image, the share of the runs in which its derivative is positive.
        cosine: the mean cosine of the gradient and the concept's vector, over images and runs; its sign is that of the effect.
        p: the p value of the two kinds of scores, over the runs.
        p_concepts: the p value of the mean cosine among those of random concepts.
    """

    layer: str
    scores: Floats
    random_scores: Floats
    accuracies: Floats
    positive: Floats
    cosine: float
    p: float
    p_concepts: float

    @property
    def score(self) -> float:
        """TCAV: the share of images whose class grows towards the concept, a mean over the runs."""
        return float(self.scores.mean())

    @property
    def significant(self) -> bool:
        """Whether the concept differs from random concepts, by both tests."""
        return self.p < ALPHA and self.p_concepts < ALPHA

    def __str__(self) -> str:
        ps = [p if "<" in p else f"= {p}" for p in (p_value(self.p), p_value(self.p_concepts))]
        verdict = "differs from" if self.significant else "is not told from"
        return (
            f"TCAV {self.score:.2f} at {self.layer}, {verdict} random concepts with {self.random_scores.mean():.2f} "
            f"(p {ps[0]} over {len(self.scores)} runs, p {ps[1]} among as many random concepts; the classifier is right on "
            f"{percent(float(self.accuracies.mean()))} of held-out images)"
        )


def tcav(
    model: Model,
    images: Float[Tensor, "b c *space"],
    concept: Float[Tensor, "n c *space"],
    random: Float[Tensor, "m c *space"],
    *,
    target: Target = None,
    layer: str | None = None,
    runs: int = 40,
    penalty: float = 0.01,
    seed: int = 0,
) -> ConceptSensitivity:
    """Test whether a concept matters to a class at a layer, against random concepts.

    Args:
        model: The network.
        images: The explained images, usually of one class.
        concept: Images that show the concept.
        random: Images that do not, at least twice as many as `FEWEST`. With fewer than five times as many as show the concept,
            random concepts share images, and the second test finds differences more often than it should.
        target: The class to explain: one class, one for each image, or None for the network's own decision.
        layer: The name of a module; None for the last one with more than one position that the output is computed from.
        runs: The number of vectors of the concept, and of random concepts; with fewer than 20 nothing is significant.
        penalty: λ, relative to the mean squared length of the activations.
        seed: The seed of the choice of random images.

    Raises:
        TensorError: Images do not fit the model, or there are too few.
        SettingsError: `runs` or `penalty` is impossible, or the network has no such layer.
        ModelError: No layer of the network has a grid, or the network has no layers.

    >>> import torch
    >>> from heatproof.concepts import tcav
    >>> from heatproof.models.loaders import Toy
    >>> model, generator = Toy(architecture="cnn", width=0.1).load(), torch.Generator().manual_seed(0)
    >>> images = torch.rand(20, 1, 28, 28, generator=generator)
    >>> bright = images.clone()
    >>> bright[:, :, :6, :6] = 1
    >>> found = tcav(model, images[:6], bright[:10], images[10:], target=3, runs=6)
    >>> found.scores.shape, 0 <= found.score <= 1, found.layer
    ((6,), True, 'pool2')
    """
    _check(runs, penalty, concept, random)
    for each in (images, concept, random):
        check_images(model, each)
    check_network(model, images, gradients=True)
    with model.running():
        classes = resolve_target(model, images, target)
        name, shown = _activations(model, concept, layer)
        _, other = _activations(model, random, layer)
        parts = activation_gradients(model, images, classes, layer)
        slopes = torch.cat([part.gradient.flatten(1).double() for _, part in parts if part.gradient is not None])
    pairs = list(_pairs(shown, other, runs, seed))
    of_concept, of_random = (np.stack([_cosines(slopes, x, y, penalty) for x, y in each]) for each in zip(*pairs, strict=True))
    positive, random_positive = ((np.sign(cosines) + 1) / 2 for cosines in (of_concept, of_random))
    scores, random_scores, cosine = positive.mean(1), random_positive.mean(1), float(of_concept.mean())
    as_large = int((np.abs(of_random.mean(1)) >= abs(cosine)).sum())
    return ConceptSensitivity(
        layer=name,
        scores=scores,
        random_scores=random_scores,
        accuracies=np.array([_held_out_accuracy(x, y, penalty) for (x, y), _ in pairs]),
        positive=positive.mean(0),
        cosine=cosine,
        p=permutation_p(scores, random_scores, np.random.default_rng(seed_of(derive("tcav", "test", seed)))),
        p_concepts=(1 + as_large) / (1 + runs),
    )


def concept_vector(concept: Float[Tensor, "n d"], random: Float[Tensor, "m d"], penalty: float) -> Float[Tensor, " d"]:
    """The concept activation vector, of length 1 and in float64; zero where nothing tells the two sets apart.

    >>> import torch
    >>> from heatproof.concepts.tcav import concept_vector
    >>> concept_vector(torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.zeros(2, 2), 0.01)
    tensor([1., 0.], dtype=torch.float64)
    """
    weights, _ = _classifier(concept.double(), random.double(), penalty)
    length: Tensor = weights.norm()
    return weights / length.clamp(min=torch.finfo(torch.float64).tiny)


def _classifier(concept: Tensor, random: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """The weights of the linear classifier, and its intercept: it says concept where x·w + b > 0."""
    x = torch.cat([concept, random])
    y = torch.cat([x.new_ones(len(concept)), -x.new_ones(len(random))])
    centre = x.mean(0)
    gram = (x - centre) @ (x - centre).T
    size = gram.diagonal().mean()
    size = torch.where(size > 0, size, 1.0)  # nothing tells the sets apart: the weights are zero
    damped = gram + penalty * size * torch.eye(len(x), dtype=x.dtype, device=x.device)
    dual: Tensor = torch.linalg.solve(damped, y - y.mean())
    weights = (x - centre).T @ dual
    return weights, y.mean() - weights @ centre


def _held_out_accuracy(concept: Tensor, random: Tensor, penalty: float) -> float:
    """The share of every third image, held out, that a classifier of the others tells right; both sets count alike."""
    held = [torch.arange(len(each)) % HELD_OUT == 0 for each in (concept, random)]
    weights, intercept = _classifier(concept[~held[0]], random[~held[1]], penalty)
    shares = [
        ((each[out] @ weights + intercept) * sign > 0).double().mean()
        for each, out, sign in zip((concept, random), held, (1, -1), strict=True)
    ]
    return float(sum(shares) / 2)


def _cosines(slopes: Tensor, concept: Tensor, random: Tensor, penalty: float) -> Floats:
    """For each image the cosine of its gradient and the vector; 0 where the gradient is zero."""
    along = slopes @ concept_vector(concept, random, penalty)
    cosines: Floats = (along / slopes.norm(dim=1).clamp(min=torch.finfo(torch.float64).tiny)).cpu().numpy()
    return cosines


def _pairs(shown: Tensor, other: Tensor, runs: int, seed: int) -> Iterator[tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]]:
    """For each run the activations of the concept and of random images, then those of a random concept and of the same images."""
    half = len(other) // 2
    n = min(len(shown), half)
    for run in range(runs):
        generator = torch.Generator().manual_seed(seed_of(derive("tcav", "random images", seed, run)))
        chosen = torch.randperm(len(other), generator=generator).to(other.device)
        examples = torch.randperm(len(shown), generator=generator)[:n].to(shown.device)
        negatives, positives = other[chosen[:n]], other[chosen[half : half + n]]
        yield (shown[examples], negatives), (positives, negatives)


def _activations(model: Model, images: Tensor, layer: str | None) -> tuple[str, Float[Tensor, "n d"]]:
    """The name of a layer, and its activations, flattened."""
    target = torch.zeros(len(images), dtype=torch.long, device=images.device)
    parts = [part for _, part in activations(model, images, target, layer)]
    return parts[0].site.name, torch.cat([part.values.flatten(1).double() for part in parts])


def _check(runs: int, penalty: float, concept: Tensor, random: Tensor) -> None:
    if runs < 2 or not penalty > 0:
        raise SettingsError(f"tcav: expected two runs or more and a penalty above 0, got runs={runs} and penalty={penalty}")
    if len(concept) < FEWEST or len(random) < 2 * FEWEST:
        raise TensorError(
            f"tcav: expected at least {FEWEST} images of the concept and {2 * FEWEST} random ones, got {len(concept)} and "
            f"{len(random)}; give more, since a vector of few images is one of these images"
        )
