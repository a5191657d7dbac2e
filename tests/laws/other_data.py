"""Tables, signals and volumes: small data, and a network for each, that the laws of metrics run on beside images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.core.settings import Settings
from heatproof.metrics import DataRandomisation, Metric, PerturbationCurve, TotalVariationCurve
from heatproof.models import Model
from heatproof.models.loaders import Imported
from heatproof.perturb.groups import Patches
from heatproof.perturb.groups.base import RegularGroups
from tests.laws.cases import suited
from tests.support import zoo


class FlatPlaces(nn.Module):
    """A network of signals that takes images of one row too, with the same weights under the same names."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.flatten(2))


class FirstPlace(nn.Module):
    """Depends on the first column, time or slice alone: f_0 = 3 + the mean of the values there, f_1 = 0."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.tensor(3.0))

    def forward(self, x: Tensor) -> Tensor:
        seen = x[..., :1].flatten(1).mean(1)
        return torch.stack([self.offset + seen, torch.zeros_like(seen)], dim=1)


def volumetric_conv() -> nn.Module:
    """Two channels in space in, three classes out."""
    layers = [nn.Conv3d(2, 4, 2), nn.SiLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3)]
    return zoo.filled(nn.Sequential(*layers), seed=17, scale=2)


@dataclass(frozen=True)
class Kind:
    """Data `[b, *shape]` that are no images, and how a network for them is built."""

    shape: tuple[int, ...]
    build: Callable[[], nn.Module]

    def rows(self, n: int, seed: int = 0) -> Tensor:
        """The same rows whatever their number, most of them within the bounds −1 and 1."""
        return torch.stack([zoo.normal(*self.shape, seed=1000 * seed + 700 + i) for i in range(n)]) / 2

    def model(self, module: nn.Module | None = None) -> Model:
        """The network, raised so that no score is near zero, or another one for the same data."""
        return zoo.model(module or zoo.Raised(self.build(), by=10.0), channels=self.shape[0])

    def truth(self, n: int) -> Tensor:
        """1 where `FirstPlace` looks, and 0 elsewhere."""
        where = torch.zeros(n, *self.shape)
        where[..., :1] = 1
        return where


KINDS = {
    "table": Kind((7,), zoo.tabular_mlp),
    "signal": Kind((2, 9), lambda: FlatPlaces(zoo.temporal_conv())),
    "volume": Kind((2, 4, 4, 4), volumetric_conv),
}


def another_network(kind: str) -> Model:
    """A network of the same architecture with other weights; its import path is a loader."""
    model = KINDS[kind].model()
    zoo.filled(model.module, seed=29)
    return model


def sized(metric: Metric, name: str, rows: Tensor) -> Metric:
    """The same settings, with regions, pyramids, reference images and the other network for these rows."""
    metric = suited(metric, KINDS[name].model(), rows)  # type: ignore[assignment]
    changes: dict[type[Metric], dict[str, Any]] = {
        PerturbationCurve: {"side": 1},
        TotalVariationCurve: {"smallest_side": 1},
        DataRandomisation: {"other": Imported(path=f"{__name__}:another_network", arguments={"kind": name})},
    }
    places = {key: Patches(side=1) for key, value in metric if isinstance(value, RegularGroups)}
    return type(metric)(**dict(metric) | places | changes.get(type(metric), {}))


def refused_by(settings: Settings, rows: Tensor) -> str:
    """The name of the part that declares that it cannot take such data; empty if none does."""
    for part in settings.nested():
        if getattr(part, "needs_images", False) or (getattr(part, "needs_places", False) and rows.ndim == 2):
            return part.name
    return ""
