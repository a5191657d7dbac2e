"""Activation checkpointing inside a network changes no map, of either kind, and torch is left as it was."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import checkpoint as torch_checkpoint
from torch.utils.checkpoint import CheckpointFunction, checkpoint

from heatproof.methods import (
    DeepLift,
    GradCam,
    Gradient,
    GuidedBackprop,
    HiresCam,
    IntegratedGradients,
    LayerCam,
    Lrp,
    Method,
    ScoreCam,
    SmoothGrad,
)
from heatproof.models import Bounds, Model
from heatproof.models.checkpointing import input_gradients, whole_graph

METHODS = (
    Gradient(),
    IntegratedGradients(quadrature={"name": "midpoint", "steps": 3}),
    SmoothGrad(samples=2),
    GradCam(relu=False),
    HiresCam(layer="inner.0"),
    LayerCam(layer="inner.2", relu=False),
    ScoreCam(relu=False, channels=3),
    DeepLift(),
    Lrp(),
    GuidedBackprop(),
)


class Net(nn.Module):
    """A convolutional network whose inner layers are one segment."""

    def __init__(self, segment: Callable[..., Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 3)
        self.inner = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
        self.segment = segment

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.segment(self.inner, self.stem(x).relu())
        return self.head(inner.mean((2, 3)))


def plain(function: Callable[..., Any], *inputs: Tensor) -> Any:
    return function(*inputs)


def reentrant(function: Callable[..., Any], *inputs: Tensor) -> Any:
    return checkpoint(function, *inputs, use_reentrant=True)


def not_reentrant(function: Callable[..., Any], *inputs: Tensor) -> Any:
    return checkpoint(function, *inputs, use_reentrant=False)


KINDS = pytest.mark.parametrize("kind", [reentrant, not_reentrant])


@KINDS
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_checkpointed_segment_changes_no_map(method: Method, kind: Callable[..., Any]) -> None:
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    given, expected = (
        method.attribute(Model(Net(segment).eval(), Bounds.of(0, 1, channels=3)), images, target=1) for segment in (kind, plain)
    )
    torch.testing.assert_close(given.values, expected.values)
    assert given.values.any()
    assert given.notes == expected.notes


def computed(kind: Callable[..., Any], block: Callable[[], Any]) -> tuple[str, int]:
    """The name of the segment's node in the graph, and how often the segment runs for one gradient."""
    runs = 0

    def segment(x: Tensor) -> Tensor:
        nonlocal runs
        runs += 1
        return x.sin()

    x = torch.ones(2, requires_grad=True)
    with block():
        out = kind(segment, x * 1)
        (slope,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(slope, torch.ones(2).cos())
    return out.grad_fn.name(), runs


@KINDS
def test_memory_is_saved_in_gradients_and_the_graph_is_whole_where_it_is_looked_into(kind: Callable[..., Any]) -> None:
    assert computed(kind, input_gradients) == ("SinBackward0", 2)
    assert computed(kind, whole_graph) == ("SinBackward0", 1)


def test_torch_is_left_as_it_was_after_errors_and_in_other_threads() -> None:
    names = [name for name in vars(torch_checkpoint) if name.startswith("_checkpoint_without_reentrant")]
    before = [getattr(torch_checkpoint, name) for name in names]

    def elsewhere() -> None:
        found.append(checkpoint(torch.sin, torch.ones(1, requires_grad=True), use_reentrant=True).grad_fn.name())

    def fail() -> None:
        with whole_graph(), input_gradients():
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
            raise KeyError

    found: list[str] = []
    with pytest.raises(KeyError):
        fail()
    assert found == ["CheckpointFunctionBackward"]
    assert [getattr(torch_checkpoint, name) for name in names] == before
    assert "apply" not in vars(CheckpointFunction)
    elsewhere()
    assert found == ["CheckpointFunctionBackward"] * 2
