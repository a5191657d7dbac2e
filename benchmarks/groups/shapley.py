"""KernelSHAP and Shapley sampling against captum, at its best batch size: time on a network that costs nothing, and accuracy.

On `null` the network is a sum, so that the ratio is of what is spent besides the passes: 50 columns of a table for KernelSHAP, and
16 patches of 3 × 224 × 224 for Shapley sampling. Accuracy is that of 50 players with interactions of three and of five, whose
Shapley values are known: the root of the mean square of the error, captum's over ours.
"""

from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from typing import Any

import sklearn  # noqa: F401, captum fits by it, and says so late
import torch
from captum.attr import KernelShap as CaptumKernelShap
from captum.attr import ShapleyValueSampling as CaptumShapleyValueSampling
from torch import Tensor, nn

from benchmarks.harness import Row, Size, Spread, Work, fastest, in_turn, spread
from benchmarks.subjects import subject
from heatproof.methods import KernelShap, ShapleySampling
from heatproof.models import Bounds, Model, Regression
from heatproof.perturb.draws import Draws
from heatproof.perturb.groups import Groups, Pixels, RegularGrid

NETWORKS = ("null",)
PLAYERS = 50
CALLS = 5
"""Calls that are timed together: one takes milliseconds."""
BATCHES = (500, 50, 1)
"""Passes that captum is offered to hold at once."""


class Total(nn.Module):
    """The sum of all values."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).sum(1, keepdim=True)


class Products(nn.Module):
    """A sum of products of three and of five columns. Each column of a product of k has 1/k of it as its Shapley value."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.members = {k: torch.rand(60, PLAYERS, generator=generator).argsort(1)[:, :k] for k in (3, 5)}
        self.weights = {k: torch.randn(60, generator=generator) for k in self.members}

    def forward(self, x: Tensor) -> Tensor:
        parts = [x[:, members].prod(2) @ self.weights[k] for k, members in self.members.items()]
        return torch.stack(parts).sum(0)[:, None]

    def shapley(self) -> Tensor:
        """Of a row of ones against a row of zeros."""
        found = torch.zeros(PLAYERS)
        for k, members in self.members.items():
            found.index_add_(0, members.flatten(), (self.weights[k] / k).repeat_interleave(k))
        return found


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """Times of both methods, and the accuracy of the first."""
    n, permutations = max(2 * PLAYERS, 20 * size.probes), max(2, 2 * (size.steps // 10))
    captum = f"captum {version('captum')}"
    if network == "null":
        model = Model(Total(), Bounds.of(0, 2, PLAYERS), output=Regression())
        picture = Model(Total(), Bounds.of(0, 2, 3), output=Regression())
        columns, image, target = torch.ones(1, PLAYERS), torch.ones(1, 3, 224, 224), None
        groups: Groups = Pixels()
    else:
        at = subject(network)
        model = picture = at.model
        columns = image = at.images[:1]
        target, groups = int(at.target[0]), RegularGrid()
    calls = f"plain; {CALLS} calls"
    batch, timed = _kernel_shap(model, columns, target, groups, n, rounds)
    yield Row.of(
        "shapley",
        "kernel_shap, time",
        network,
        work=f"KernelSHAP, {groups.count(tuple(columns.shape[1:]))} groups, {n} coalitions",
        peer=f"{captum}, KernelShap, batches of {batch}",
        spread=timed,
        note=calls,
    )
    batch, timed = _sampling(picture, image, target, permutations, rounds)
    yield Row.of(
        "shapley",
        "shapley_sampling, time",
        network,
        work=f"Shapley sampling, 16 patches of {image.shape[-1]}², {permutations} permutations",
        peer=f"{captum}, ShapleyValueSampling, batches of {batch}",
        spread=timed,
        note=calls,
    )
    yield Row.of(
        "shapley",
        "kernel_shap, error",
        network,
        work=f"KernelSHAP, error over exact values, {PLAYERS} players, {n} coalitions",
        peer=f"{captum}, KernelShap",
        spread=_errors(n, max(3, rounds)),
        note="products of three and five columns, whatever the network",
    )


def _mask(groups: Groups, model: Model, images: Tensor) -> Tensor:
    return groups(images, model.bounds, Draws.for_images(0, images)).ids[:1]


def _kernel_shap(model: Model, images: Tensor, target: int | None, groups: Groups, n: int, rounds: int) -> tuple[int, Spread]:
    peer, mask = CaptumKernelShap(model.module), _mask(groups, model, images)
    settings = _settings(model, images, target, mask)
    return _in_turn(
        partial(peer.attribute, **settings, n_samples=n),
        lambda: KernelShap(samples=n, groups=groups).attribute(model, images, target),
        rounds,
    )


def _sampling(model: Model, images: Tensor, target: int | None, permutations: int, rounds: int) -> tuple[int, Spread]:
    groups = RegularGrid(cells_per_axis=4)
    peer, mask = CaptumShapleyValueSampling(model.module), _mask(groups, model, images)
    settings = _settings(model, images, target, mask)
    return _in_turn(
        partial(peer.attribute, **settings, n_samples=permutations),
        lambda: ShapleySampling(samples=permutations, groups=groups).attribute(model, images, target),
        rounds,
    )


def _settings(model: Model, images: Tensor, target: int | None, mask: Tensor) -> dict[str, Any]:
    one = 0 if target is None else target
    return {"inputs": images, "baselines": model.bounds.like(images)[0].expand_as(images), "target": one, "feature_mask": mask}


def _in_turn(theirs: Any, ours: Any, rounds: int) -> tuple[int, Spread]:
    """Captum's best batch size, and its time over ours."""

    def by_captum(size: Size, batch: int) -> object:
        return [theirs(perturbations_per_eval=batch) for _ in range(CALLS)]

    def by_us(size: Size) -> object:
        return [ours() for _ in range(CALLS)]

    works: dict[int, Work] = {batch: partial(by_captum, batch=batch) for batch in BATCHES}
    batch = fastest(works, Size())
    both: dict[str, Work] = {"captum": works[batch], "ours": by_us}
    timed = in_turn(both, Size(), rounds)
    return batch, timed.ratio("captum", "ours")


def _errors(n: int, seeds: int) -> Spread:
    game = Products()
    model, row, exact = Model(game, Bounds.of(0, 2, PLAYERS), output=Regression()), torch.ones(1, PLAYERS), game.shapley()
    captum, found = CaptumKernelShap(game), []
    for seed in range(seeds):
        torch.manual_seed(seed)
        theirs = captum.attribute(row, torch.zeros(1, PLAYERS), target=0, n_samples=n, perturbations_per_eval=n)
        ours = KernelShap(samples=n).attribute(model, row, seed=seed).values
        found.append(float((theirs[0] - exact).norm() / (ours[0] - exact).norm()))
    return spread(found)
