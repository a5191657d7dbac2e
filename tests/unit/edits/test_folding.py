import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from heatproof.edits.folding import fold
from heatproof.methods import Lrp
from heatproof.models import Bounds, Model


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
    assert folded.not_folded == ()
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
    assert all(text.startswith("norm: ") and reason in text for text in folded.not_folded)
    assert folded.not_folded
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


# Padding ──────────────────────────────────────────────────────────────────────────────────────────


class Same(nn.Module):
    """Zeros so that a convolution of stride 2 keeps ⌈n / 2⌉: which depend on the size, and differ between the sides."""

    def forward(self, x):
        h, w = x.shape[-2:]
        return F.pad(x, (0, 1 - w % 2, (h % 2) + 1, 1))


def pads_of(net):
    return [child for child in net.modules() if type(child).__name__ == "_Padded"]


def padding_net(pad, stride=2):
    torch.manual_seed(0)
    return (
        nn.Sequential(pad, nn.Conv2d(4, 4, 3, stride, groups=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double().eval()
    )


@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("pad", [Same, lambda: nn.ZeroPad2d(1), lambda: nn.ZeroPad2d((0, 2, 1, 0))])
def test_padding_goes_into_the_convolution_at_every_size(pad, last):
    net = padding_net(pad())
    folded = fold(net, images()).module
    assert len(pads_of(folded)) == 1
    for h, w in [(7, 7), (8, 9), (9, 6)]:
        given = images((2, 4, h, w))
        a, b = (given.clone(memory_format=torch.channels_last if last else torch.preserve_format).requires_grad_() for _ in "ab")
        torch.testing.assert_close(folded(a), net(b), rtol=1e-12, atol=1e-12)
        grads = [torch.autograd.grad(run(x).square().sum(), x)[0] for run, x in ((folded, a), (net, b))]
        torch.testing.assert_close(*grads, rtol=1e-12, atol=1e-12)
        with torch.inference_mode():
            torch.testing.assert_close(folded(given), net(given), rtol=1e-12, atol=1e-12)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.pad, self.layer = nn.ZeroPad2d(1), nn.Conv2d(4, 4, 3)

    def forward(self, x):
        padded = self.pad(x)
        return (self.layer(padded).mean((2, 3)) + padded.amax((2, 3))).relu()


class Larger(nn.Module):
    """Larger, but not by zeros around."""

    def forward(self, x):
        return F.pad(x, (1, 1, 1, 1)) * 2


@pytest.mark.parametrize(
    "pad", [lambda: nn.ReflectionPad2d(1), lambda: nn.ConstantPad2d(1, 0.5), Larger, lambda: nn.Upsample(scale_factor=2)]
)
def test_other_padding_stays_as_it_is(pad):
    net = padding_net(pad())
    folded = fold(net, images()).module
    assert not pads_of(folded)
    torch.testing.assert_close(folded(images()), net(images()))


def test_a_module_that_makes_other_channels_is_no_padding():
    net = nn.Sequential(nn.PixelShuffle(2), nn.Conv2d(1, 4, 3), nn.Flatten()).double().eval()
    folded = fold(net, images()).module
    assert not pads_of(folded)
    torch.testing.assert_close(folded(images()), net(images()))


def test_padding_that_is_used_twice_stays_as_it_is():
    net = Twice().double().eval()
    folded = fold(net, images()).module
    assert not pads_of(folded)
    torch.testing.assert_close(folded(images()), net(images()))


def test_a_followed_network_pads_as_it_did():
    """Rules tell a convolution that pads from one that is given zeros: bounds of the input hold for zeros that it is given."""
    net = padding_net(Same())
    rows = images()
    model = Model(net, Bounds.of(-4, 4, 4))
    folded = Model(fold(net, rows).module, Bounds.of(-4, 4, 4))
    own, other = (Lrp(composite="epsilon_gamma_box").attribute(each, rows, 1).values for each in (model, folded))
    torch.testing.assert_close(own, other, rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_parts_that_are_scripted_stay_as_they_are_and_the_others_are_folded():
    images = torch.rand(2, 3, 8, 8)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), torch.jit.script(nn.Sequential(nn.ReLU()))).eval()
    folded = fold(network, images)
    assert folded.pairs == 1
    torch.testing.assert_close(folded.module(images), network(images))
