"""The networks that are measured, with photographs and classes, and the plans that `exact` and `fast` choose on this machine.

Networks without weights to be had have random ones: the work is the same. `tiny` is for tests.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.data import load_images
from heatproof.models import Bounds, Model
from heatproof.models.loaders import Torchvision, load_model
from heatproof.models.preprocessing import Preprocessing
from heatproof.passes.acceleration import Measured, Precision, accelerate

CHUNK = 16
PACKAGED = ("efficientnet_lite0", "squeezenet1_1")
PLANS: tuple[Precision, ...] = ("plain", "exact", "fast")


@dataclass(frozen=True)
class Subject:
    """A network, photographs it takes, and a class for each."""

    model: Model
    images: Tensor
    target: Tensor

    @cached_property
    def plans(self) -> dict[Precision, tuple[Model, Measured]]:
        """The model as it is, and by the fastest plans in its own precision and in any."""
        return {precision: accelerate(self.model, self.images, precision) for precision in PLANS}

    @property
    def side(self) -> int:
        """Pixels."""
        return self.images.shape[-1]

    @property
    def black(self) -> Tensor:
        """The baseline of a path."""
        return self.model.bounds.like(self.images)[0].expand_as(self.images)


@lru_cache(maxsize=1)
def subject(name: str) -> Subject:
    """The network of that name. Its module is in eval mode and frozen, for peers as for us."""
    model = (
        _tiny() if name == "tiny" else load_model(name if name in PACKAGED else Torchvision(architecture=name, weights="random"))
    )
    if model.preprocessing is None:
        raise ValueError(f"{name}: expected a network that says how to preprocess images")
    model.module.eval().requires_grad_(False)
    images = load_images("photos", model.preprocessing, count=8)
    return Subject(model.with_(chunk=CHUNK, name=name), images, torch.arange(len(images)))


def _tiny() -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)
        )
    return Model(module, Bounds.of(0, 1, 3), preprocessing=Preprocessing(side=32, resize=32, mean=(0, 0, 0), std=(1, 1, 1)))


def on_photographs(count: int, networks: Iterable[str] = PACKAGED) -> Iterator[tuple[str, Model, Tensor]]:
    """Name, exact plan and photographs [count, c, h, w] of each packaged network, one after the other."""
    for network in networks:
        plain = load_model(network)
        if plain.preprocessing is None:
            raise ValueError(f"{network}: expected a network that says how to preprocess images")
        images = load_images("photos", plain.preprocessing, count=count)
        yield network, accelerate(plain.with_(chunk=CHUNK), images[:8], "exact")[0], images


def by_quantus(metric: Callable[..., Any], at: Subject, maps: Tensor) -> Any:
    """A metric of quantus, of as many of the images as there are maps, all at once."""
    n = len(maps)
    with warnings.catch_warnings(action="ignore"):
        arrays = (each.numpy() for each in (at.images[:n], at.target[:n], maps))
        return metric(at.model.module, *arrays, channel_first=True, softmax=False, device="cpu", batch_size=n)
