import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from heatproof.passes.folding import fold


def normalised(norm):
    """A normalisation with statistics and an affine map that are not the identity."""
    for tensor in (norm.running_mean, norm.weight.data, norm.bias.data):
        tensor.copy_(torch.rand_like(tensor) + 0.5)
    norm.running_var.copy_(torch.rand_like(norm.running_var) + 0.5)
    return norm


class Net(nn.Module):
    """Convolution, normalisation, and whatever a test does with them."""

    def __init__(self, forward, layer=None, norm=None):
        super().__init__()
        self.norm = normalised(norm or nn.BatchNorm2d(4))  # registered before the layer it follows
        self.layer = layer or nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.head = nn.Linear(4, 3)
        self._forward = forward

    def forward(self, images):
        features = self._forward(self, images)
        return self.head(features.mean((2, 3)) if features.ndim == 4 else features)


def plain(net, images):
    return net.norm(net.layer(images)).relu()


def padded(net, images):
    return net.norm(net.layer(F.pad(images, (0, images.shape[-1] % 2, 1, 0)))).relu()


def residual(net, images):
    return images + net.norm(net.layer(images))


def both(net, images):
    features = net.layer(images)
    return net.norm(features) + features


def twice(net, images):
    return net.norm(net.layer(net.norm(net.layer(images))))


def alone(net, images):
    return net.layer(net.norm(images))


def images(shape=(3, 4, 7, 7)):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("forward", [plain, padded, residual])
@pytest.mark.parametrize(
    "layer",
    [
        None,
        lambda: nn.Conv2d(4, 4, 3, padding=1),
        lambda: nn.Conv2d(4, 4, 3, padding=1, groups=4),
        lambda: nn.ConvTranspose2d(4, 4, 3, padding=1),
    ],
    ids=["no bias", "bias", "depthwise", "transposed"],
)
def test_a_folded_network_computes_the_same(forward, layer):
    torch.manual_seed(0)
    net = Net(forward, layer and layer()).double().eval()
    folded = fold(net, images())
    assert folded.pairs == 1
    assert folded.kept == ()
    torch.testing.assert_close(folded.module(images()), net(images()), rtol=1e-10, atol=1e-10)


def test_a_linear_layer_takes_its_normalisation_in():
    torch.manual_seed(0)
    net = Net(plain, nn.Linear(4, 4), nn.BatchNorm1d(4)).double().eval()
    folded = fold(net, images((5, 4)))
    assert folded.pairs == 1
    torch.testing.assert_close(folded.module(images((5, 4))), net(images((5, 4))), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("forward", "reason"), [(both, "also feeds"), (twice, "more than once"), (alone, "no convolution or linear layer")]
)
def test_what_must_not_be_folded_is_kept_and_the_reason_said(forward, reason):
    torch.manual_seed(0)
    net = Net(forward).double().eval()
    folded = fold(net, images())
    assert folded.pairs == 0
    assert all(text.startswith("norm: ") and reason in text for text in folded.kept)
    assert folded.kept
    torch.testing.assert_close(folded.module(images()), net(images()))


def test_the_callers_network_and_images_are_not_touched():
    net = Net(plain).double().eval()
    before, given = copy.deepcopy(net.state_dict()), images()
    fold(net, given)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert not net.layer._forward_hooks
    assert torch.equal(given, images())


@pytest.mark.parametrize(("name", "pairs"), [("resnet18", 20), ("mobilenet_v2", 52), ("densenet121", 59)])
def test_networks_of_torchvision_fold_as_far_as_they_can(name, pairs):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    net = torchvision.models.get_model(name, weights=None).double().eval()
    given = images((1, 3, 64, 64))
    folded = fold(net, given)
    assert folded.pairs == pairs
    torch.testing.assert_close(folded.module(given), net(given), rtol=1e-8, atol=1e-8)
