"""pytorch-grad-cam as an independent witness of activation maps, where it is installed."""

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from heatproof.methods import (
    AblationCam,
    EigenCam,
    GradCam,
    GradCamPlusPlus,
    HiresCam,
    LayerCam,
    Method,
    ScoreCam,
    XgradCam,
)
from heatproof.models import Model
from tests.support import zoo
from tests.support.close import assert_close

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    witness = pytest.importorskip("pytorch_grad_cam")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")

TARGET = 2


@pytest.fixture(autouse=True)
def _the_witness_may_warn_and_uses_chance() -> Iterator[None]:
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        yield


def network(stride: int) -> nn.Module:
    side = 8 // stride
    layers = [nn.Conv2d(3, 6, 3, padding=1, stride=stride), nn.ReLU(), nn.Flatten(), nn.Linear(6 * side**2, 8), nn.Tanh()]
    return zoo.filled(nn.Sequential(*layers, nn.Linear(8, 4)), seed=24, scale=2).eval()


@pytest.fixture(params=[1, 2], ids=["grid of the input", "coarse grid"])
def net(request: pytest.FixtureRequest) -> nn.Module:
    return network(request.param)


def raw(build: Callable[..., object], net: nn.Module, images: Tensor) -> Tensor:
    """Its map before anything is clipped, scaled or interpolated."""
    asked = [targets.ClassifierOutputTarget(TARGET)] * len(images)
    with build(model=net, target_layers=[net[1]]) as cam:
        cam(images, asked)
        activation = net[:2](images).detach().numpy()
        gradient = cam.activations_and_grads.gradients[0].numpy() if cam.uses_gradients else None
        return torch.from_numpy(np.asarray(cam.get_cam_image(images, net[1], asked, activation, gradient, False)))


def ours(method: Method, net: nn.Module, images: Tensor) -> Tensor:
    return method.on_grid(Model(net, zoo.model(net).bounds), images, TARGET)[:, 0]


@pytest.mark.parametrize(
    ("method", "build", "tolerance"),
    [
        (GradCam(relu=False), "GradCAM", 1e-5),
        (HiresCam(), "HiResCAM", 1e-5),
        (LayerCam(relu=False), "LayerCAM", 1e-5),
        (XgradCam(), "XGradCAM", 1e-5),
        (GradCamPlusPlus(relu=False), "GradCAMPlusPlus", 3e-3),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_gradient_maps_agree(method: Method, build: str, tolerance: float, net: nn.Module) -> None:
    """Its Grad-CAM++ adds 1e-6 to a denominator of the size of squared gradients, here 1e-3."""
    images = zoo.images(3)
    assert_close(ours(method, net, images), raw(getattr(witness, build), net, images).float(), tolerance)


def test_eigen_cam_agrees_up_to_its_sign_once_channels_are_centred(net: nn.Module) -> None:
    images = zoo.images(3)
    for found, expected in zip(ours(EigenCam(centred=True), net, images), raw(witness.EigenCAM, net, images).float(), strict=True):
        assert_close(found.abs(), expected.abs(), 1e-4)


def test_ablation_cam_agrees_after_a_relu_where_it_silences_with_zero(net: nn.Module) -> None:
    images = zoo.images(3)
    expected = raw(witness.AblationCAM, net, images) * net(images)[:, TARGET].detach()[:, None, None]
    assert_close(ours(AblationCam(relu=False), net, images), expected.float(), 1e-4)


def test_score_cam_agrees_where_nothing_is_interpolated() -> None:
    """On a coarse grid it aligns corners, and its masks differ."""
    net, images = network(1), zoo.images(3)
    assert_close(ours(ScoreCam(relu=False), net, images), raw(witness.ScoreCAM, net, images).float(), 1e-5)


def test_what_it_shows_is_our_map_clipped_and_scaled(net: nn.Module) -> None:
    images = zoo.images(3)
    with witness.GradCAM(model=net, target_layers=[net[1]]) as cam:
        shown = torch.from_numpy(cam(images, [targets.ClassifierOutputTarget(TARGET)] * 3))
    grid = ours(GradCam(), net, images)
    low, high = grid.amin((1, 2), keepdim=True), grid.amax((1, 2), keepdim=True)
    wide = torch.nn.functional.interpolate(((grid - low) / (high - low))[:, None], size=(8, 8), mode="bilinear")[:, 0]
    low, high = wide.amin((1, 2), keepdim=True), wide.amax((1, 2), keepdim=True)
    assert_close((wide - low) / (high - low), shown, 1e-4)
