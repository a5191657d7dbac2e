"""Activation maps of signals and volumes: those of the same network on images that are one pixel high, or one voxel deep."""

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import TensorError
from heatproof.core.settings import exports
from heatproof.methods import GradCam, Method
from heatproof.methods.activation.base import ActivationMethod
from heatproof.models import Bounds, Model, SegmentedClass
from heatproof.tracing.capture import default_layer
from tests.support.close import assert_close

MAPS = {name: cls for name, cls in exports(Method).items() if issubclass(cls, ActivationMethod)}
SIZES = {1: (1, 12), 3: (1, 6, 8)}


def network(dimensions: int) -> nn.Module:
    """A convolutional network on 1, 2 or 3 axes; of the same weights up to the shape of its kernels."""
    convolution, norm, pool, mean = {
        1: (nn.Conv1d, nn.BatchNorm1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d),
        2: (nn.Conv2d, nn.BatchNorm2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d),
        3: (nn.Conv3d, nn.BatchNorm3d, nn.AvgPool3d, nn.AdaptiveAvgPool3d),
    }[dimensions]
    layers = (convolution(2, 4, 1), norm(4), nn.Tanh(), pool(1), convolution(4, 5, 1), nn.ReLU())
    return nn.Sequential(*layers, mean(1), nn.Flatten(), nn.Linear(5, 3))


def as_images(module: nn.Module, dimensions: int) -> nn.Module:
    """The network of 2 axes with the weights of another."""
    images = network(2)
    state = {key: value.reshape(images.state_dict()[key].shape) for key, value in module.state_dict().items()}
    images.load_state_dict(state)
    return images


def model(module: nn.Module) -> Model:
    return Model(module.eval(), Bounds.of(-2, 2, channels=2))


def data(dimensions: int) -> tuple[Tensor, Tensor]:
    """Signals or volumes, and the same numbers as images."""
    size = SIZES[dimensions]
    images = torch.randn(2, 2, *size[-2:], generator=torch.Generator().manual_seed(1))
    return images[:, :, 0] if dimensions == 1 else images[:, :, None], images


@pytest.fixture(params=SIZES, ids=["signal", "volume"])
def dimensions(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.mark.parametrize("name", MAPS)
def test_a_map_of_a_signal_or_volume_is_that_of_the_image_of_the_same_numbers(name: str, dimensions: int) -> None:
    torch.manual_seed(0)
    module = network(dimensions)
    rows, images = data(dimensions)
    method = Method.from_dict({"name": name, "relu": False})
    found = method.attribute(model(module), rows, target=1).values
    expected = method.attribute(model(as_images(module, dimensions)), images, target=1).values
    assert found.shape == rows.shape
    assert_close(found, expected.reshape(found.shape), 1e-5)


def test_a_map_of_a_volume_has_three_axes_of_its_own() -> None:
    torch.manual_seed(0)
    volumes = torch.randn(2, 2, 3, 4, 5)
    method = GradCam(layer="5", relu=False)
    activation = network(3).eval()
    weights = activation[-1].weight[1] / (3 * 4 * 5)  # f is linear in the mean of the layer over positions: CAM / Z
    expected = (weights.view(1, 5, 1, 1, 1) * activation[:6](volumes)).sum(1, keepdim=True)
    assert_close(method.on_grid(model(activation), volumes, target=1), expected.detach(), 1e-5)


def test_a_table_has_no_places() -> None:
    with pytest.raises(TensorError, match=r"grad_cam: expected images \[b, c, h, w\], signals .* got \[3, 2\]; for tables choose"):
        GradCam().attribute(Model(nn.Linear(2, 3), Bounds.of(0, 1, channels=2)), torch.rand(3, 2))


def test_the_layer_of_a_segmentation_is_not_the_segmentation_itself() -> None:
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 1))
    segmenting = Model(features, Bounds.of(0, 1, channels=3), output=SegmentedClass())
    images = torch.rand(2, 3, 8, 8)
    assert default_layer(segmenting, images) == "1"
    classes = segmenting.outputs(images).argmax(1)
    own = (features(images).argmax(1) == classes[:, None, None]).double()
    weights = features[2].weight[classes].flatten(1) * own.mean((1, 2))[:, None]
    expected = (weights[:, :, None, None] * features[:2](images)).sum(1, keepdim=True).relu().float()
    assert_close(GradCam().on_grid(segmenting, images), expected.detach(), 1e-5)
