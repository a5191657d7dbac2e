"""Judge and advise on networks whose truth is known: `python -m benchmarks.toys`.

A pixel x of a linear network contributes w (x − r) to the score of its class, where r is what replaces it, here the mean of the
image. So it is known which map is right, which metric is broken, and which method is nearest the truth. Four networks and images
of 14 × 14 pixels:

    planted    each class reads a square of its own, with weights of both signs
    spurious   the class reads a mark in the corner, and the image has a bright object elsewhere
    additive   weights of one sign, large in the middle and small at the border
    blind      the weights are known and the images are symmetric noise, so that maps of weights say nothing of contributions

`judge` gets a metric that is valid, one that scores maps whose pixels have changed places, one that looks at no network, and where
there is an object, one that rewards maps that lie on it. `advise` gets maps at known distances from the truth; on `blind` it gets
maps of weights alone. Its looks are then replayed on simulated sets of images, drawn from the scores of 300. All of it takes half a
minute on one thread.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

import heatproof as hp
from benchmarks.advice_simulation import play
from heatproof.core.records import Direction, Reduction
from heatproof.methods import Damaged, EdgeMap, Gradient, IntegratedGradients, SmoothGrad
from heatproof.methods.base import Method
from heatproof.metrics import EnergyInMask, PixelFlipping, Sparseness, SymmetricRelevanceGain
from heatproof.metrics.base import ModelMetric
from heatproof.metrics.scores import Scores
from heatproof.models import Bounds, Model
from heatproof.numerics.similarity import spearman
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.perturb.draws import Draws
from heatproof.verdict import Finding, Judgement, Standing

SIDE, LOOKS, POOL = 14, (6, 12, 24, 40), 300
FLIPPING = PixelFlipping(steps=6)
TRUTH = "Contributions"


class ShuffledFlipping(ModelMetric):
    """Pixel flipping of the map after its pixels have changed places: a metric that cannot be right."""

    label: ClassVar[str] = "broken"
    meaning: ClassVar[str] = "Nothing."
    better: ClassVar[Direction] = FLIPPING.better
    bounds: ClassVar[tuple[float, float]] = FLIPPING.bounds
    reduction: ClassVar[Reduction] = FLIPPING.reduction

    def cost(self, image_shape: ImageShape) -> PassCount:
        return FLIPPING.cost(image_shape)

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        order = Draws.for_images(seed, maps).uniform("shuffle", 0, maps.shape[2:]).flatten(1).argsort(1)
        moved = torch.stack([row.flatten(1)[:, to].view_as(row) for row, to in zip(maps, order, strict=True)])
        return FLIPPING.measure(model, images, target, moved, seed)


@dataclass(frozen=True)
class ToyTruth:
    """A linear network of three classes, of which the first always wins, and images for it.

    name     What it is called.
    weights  The weights [3, 3, side, side].
    images   (n) → images [n, 3, side, side].
    regions  (n) → where the object lies, or None.
    """

    name: str
    weights: Tensor
    images: Callable[[int], Tensor]
    regions: Callable[[int], Tensor] | None = None

    def model(self) -> nn.Module:
        """The network."""
        head = nn.Linear(3 * SIDE**2, len(self.weights))
        head.weight.data, head.bias.data = self.weights.flatten(1), torch.tensor([3.0, 0.0, 0.0])
        return nn.Sequential(nn.Flatten(), head)

    def methods(self) -> dict[str, Method]:
        """The methods that are compared."""
        if self.name == "blind":
            return {
                "Gradient": Gradient(),
                "SmoothGrad": SmoothGrad(samples=2),
                "Noisy gradient": Damaged(method=Gradient(), share=0.5),
            }
        truth = IntegratedGradients(baseline="channel_mean", quadrature={"name": "gauss_legendre", "steps": 2})
        noisy = {f"{share:.0%} noise": Damaged(method=truth, damage="noise", share=share) for share in (0.2, 0.5)}
        return {TRUTH: truth, **noisy, "Gradient": Gradient()}

    def distances(self, n: int = 40) -> dict[str, float]:
        """The mean rank correlation of each map with the contributions, both summed over channels."""
        images, model = self.images(n), Model(self.model(), Bounds.of(-3, 3, 3))
        truth = ((images - images.mean((2, 3), keepdim=True)) * self.weights[0]).sum(1).flatten(1)
        maps = {label: method.attribute(model, images).values.sum(1).flatten(1) for label, method in self.methods().items()}
        return {label: float(spearman(values, truth).nanmean()) for label, values in maps.items()}


def toys() -> dict[str, ToyTruth]:
    """The networks, by their names."""
    rng = torch.Generator().manual_seed(0)
    squares = torch.zeros(3, 3, SIDE, SIDE)
    for k, (top, left) in enumerate(((2, 2), (2, 8), (8, 4))):
        squares[k, :, top : top + 4, left : left + 4] = torch.randn(3, 4, 4, generator=rng).sign() / 24
    mark = torch.zeros(3, 3, SIDE, SIDE)
    mark[0, :, :4, :4], mark[1, :, :4, 4:8] = 1 / 24, 1 / 24
    at = torch.linspace(-2, 2, SIDE)
    hill = torch.exp(-(at[:, None] ** 2) - at**2) / 25
    smooth = torch.stack([hill, hill.roll(4, 0) / 2, hill.roll(4, 1) / 2])[:, None].expand(-1, 3, -1, -1).clone()

    def speaking(n: int) -> Tensor:
        """Noise, in which the pixels of the first square speak for the first class."""
        signs, noise = squares[0].sign(), _noise(n, 1)
        return torch.where(signs != 0, signs * noise.abs(), noise)

    def marked(n: int) -> Tensor:
        images = _noise(n, 2) / 5 - 0.5
        images[:, :, :4, :4] += 2
        images[:, :, 7:13, 7:13] += 2
        return images.clamp(-3, 3)

    def objects(n: int) -> Tensor:
        regions = torch.zeros(n, SIDE, SIDE)
        regions[:, 7:13, 7:13] = 1
        return regions

    found = (
        ToyTruth("planted", squares, speaking),
        ToyTruth("spurious", mark, marked, objects),
        ToyTruth("additive", smooth, lambda n: _noise(n, 3).abs()),
        ToyTruth("blind", torch.randn(3, 3, SIDE, SIDE, generator=rng) / 60, lambda n: _noise(n, 4)),
    )
    return {toy.name: toy for toy in found}


def _noise(n: int, seed: int) -> Tensor:
    return torch.stack(
        [torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(1000 * seed + i)) for i in range(n)]
    ).clamp(-3, 3)


def gains() -> dict[str, dict[str, SymmetricRelevanceGain]]:
    """The metrics of faithfulness by question and fill."""
    settings: dict[str, dict[str, Any]] = {
        "pixels": {"groups": None, "share": 1.0},
        "regions": {"groups": {"name": "regular_grid", "cells_per_axis": 7}},
    }
    return {
        question: {fill: SymmetricRelevanceGain(fill=fill, steps=6, **each) for fill in ("blurred", "channel_mean")}
        for question, each in settings.items()
    }


class Believing(Mapping[str, Finding]):
    """A judgement that believes every metric."""

    def __getitem__(self, metric: str) -> Finding:
        return Finding(Standing.BELIEVE, 6, "It is valid here by construction.")

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def judged(toy: ToyTruth, folder: Path, n: int = 8) -> Judgement:
    """What `judge` says of a valid metric and of broken ones."""
    metrics: dict[str, Any] = {"Flipping": FLIPPING, "Shuffled": ShuffledFlipping(), "Sparseness": Sparseness()}
    given: dict[str, Any] = {}
    if toy.regions is not None:
        metrics["On the object"], given["regions"] = EnergyInMask(), toy.regions(n)
    found: Judgement = hp.judge(
        model=toy.model(),
        bounds=(-3, 3),
        data=toy.images(n),
        metrics=metrics,
        methods={TRUTH: toy.methods()[TRUTH]},
        precision="plain",
        batch=n,
        out=folder,
        progress=False,
        **given,
    )
    return found


def advised(toy: ToyTruth, folder: Path, n: int = 24, **changes: Any) -> hp.Advice:
    """What `advise` says of the methods, by metrics that are valid here."""
    metrics = {f"{question}, {fill}": metric for question, fills in gains().items() for fill, metric in fills.items()}
    given = {
        "model": toy.model(),
        "bounds": (-3, 3),
        "data": toy.images(n),
        "methods": toy.methods(),
        "metrics": metrics,
        "judgement": Believing(),
        "precision": "plain",
        "counts": LOOKS,
        "report": False,
        "progress": False,
        "out": folder,
    }
    return hp.advise(**(given | changes))


def pool(toy: ToyTruth, n: int = POOL) -> list[list[np.ndarray]]:
    """The gains [methods, images] over the edge map of two fills of two questions, on many images."""
    images, model = toy.images(n), Model(toy.model(), Bounds.of(-3, 3, 3))
    maps = [method.attribute(model, images) for method in toy.methods().values()]
    edges = EdgeMap().attribute(model, images)
    return [
        [
            np.stack([(metric.score(model, images, None, each.values).values - over).double().numpy() for each in maps])
            for metric in fills.values()
            for over in [metric.score(model, images, None, edges.values).values]
        ]
        for fills in gains().values()
    ]


def wrong_winners(toy: ToyTruth, runs: int, images: int = POOL, seed: int = 0) -> dict[str, float]:
    """The share of simulated runs that do not name the method nearest the truth, and of those that name none; their images."""
    found, rng = pool(toy, images), np.random.default_rng(seed)
    distances = list(toy.distances().values())
    best, wrong, none, taken = int(np.argmax(distances)), 0, 0, 0
    for _ in range(runs):
        chosen = rng.permutation(images)[: LOOKS[-1]]
        played = play([[each[:, chosen] for each in question] for question in found], LOOKS)
        conclusion = played.evidence.conclusion
        none += conclusion.use is None
        named = (conclusion.use, *conclusion.tied)
        wrong += conclusion.use is not None and (toy.name == "blind" or f"Method {best}" not in named)
        taken += played.images
    return {"wrong": wrong / runs, "none": none / runs, "images": taken / runs}


def main(runs: int = 200) -> None:
    """Print what `judge` and `advise` say on each toy, and how often a simulated run names the wrong method."""
    for name, toy in toys().items():
        with tempfile.TemporaryDirectory() as folder:
            print(name)
            if name != "blind":
                found = judged(toy, Path(folder) / "judged")
                print("  metrics, best first:", "; ".join(f"{metric}: {found[metric].standing}" for metric in found.metrics))
            print("  correlation with the truth:", ", ".join(f"{label} {rho:.2f}" for label, rho in toy.distances().items()))
            print("  advice:", advised(toy, Path(folder) / "advised").sentence)
            shares = wrong_winners(toy, runs)
            print(f"  {runs} simulated runs: " + ", ".join(f"{key} {value:.3g}" for key, value in shares.items()), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
