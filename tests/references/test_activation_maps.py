"""Activation maps against their slow twins, and what they must be where the network is simple."""

from collections.abc import Callable

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
from tests.references import activation_maps as slow
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close

TIGHT = 1e-12
TARGET = 1


class Split(nn.Module):
    """A network in two parts, with a grid of 4 × 3 between them for images of 8 × 6."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.before = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.SiLU(), nn.Conv2d(5, 6, 2, stride=2), activation)
        self.after = nn.Sequential(nn.Flatten(), nn.Linear(6 * 12, 8), nn.Tanh(), nn.Linear(8, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.before(x))


class Pooled(nn.Module):
    """Convolutions, mean over positions, one linear layer: the network that class activation maps were made for."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 7, 2, stride=2), nn.ReLU())
        self.head = nn.Linear(7, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


@pytest.fixture(scope="module", params=[nn.ReLU, nn.SiLU], ids=["relu", "silu"])
def net(request: pytest.FixtureRequest) -> Split:
    return zoo.filled(Split(request.param()), seed=21, scale=2).double().eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return zoo.images(3, dtype=torch.float64)[..., :6]


TWINS: dict[str, tuple[Method, Callable[[slow.Before, slow.After, Tensor], Tensor]]] = {
    "grad_cam": (GradCam(), lambda b, a, x: slow.eq_1_and_2_grad_cam(a, b(x))),
    "grad_cam_plus_plus": (GradCamPlusPlus(), lambda b, a, x: slow.grad_cam_plus_plus(a, b(x))),
    "hires_cam": (HiresCam(), lambda b, a, x: slow.hires_cam(a, b(x))),
    "layer_cam": (LayerCam(), lambda b, a, x: slow.layer_cam(a, b(x))),
    "xgrad_cam": (XgradCam(), lambda b, a, x: slow.xgrad_cam(a, b(x))),
    "eigen_cam": (EigenCam(), lambda b, a, x: slow.eigen_cam(b(x), centred=False)),
    "eigen_cam, centred": (EigenCam(centred=True), lambda b, a, x: slow.eigen_cam(b(x), centred=True)),
    "score_cam": (ScoreCam(), lambda b, a, x: slow.score_cam(b, a, x)),
    "ablation_cam": (AblationCam(), lambda b, a, x: slow.ablation_cam(a, b(x))),
}


@twin_of("ablation_cam", "eigen_cam", "grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "score_cam", "xgrad_cam")
@pytest.mark.parametrize("name", TWINS)
def test_a_map_on_its_grid_is_that_of_the_twin(net: Split, images: Tensor, name: str) -> None:
    method, twin = TWINS[name]

    def before(x: Tensor) -> Tensor:
        return net.before(x[None])[0]

    def after(a: Tensor) -> Tensor:
        return net.after(a[None])[0, TARGET]

    with torch.set_grad_enabled(True):
        expected = torch.stack([twin(lambda x: before(x).detach(), after, image) for image in images])
    found = method.on_grid(zoo.model(net, dtype=torch.float64, chunk=4), images, TARGET)
    assert found.shape == (3, 1, 4, 3)
    assert_close(found[:, 0], expected, 1e-9)


def test_the_channels_of_a_map_are_equal_and_sum_to_the_bilinear_map(net: Split, images: Tensor) -> None:
    model = zoo.model(net, dtype=torch.float64)
    values = HiresCam().attribute(model, images, TARGET).values
    grid = HiresCam().on_grid(model, images, TARGET)[:, 0]
    assert torch.equal(values[:, 0], values[:, 1])
    assert torch.equal(values[:, 0], values[:, 2])
    assert_close(values.sum(1), torch.stack([slow.bilinear(m, 8, 6) for m in grid]), TIGHT)


# --- identities ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pooled() -> Pooled:
    return zoo.filled(Pooled(), seed=22, scale=2).double().eval()


def cam(net: Pooled, images: Tensor) -> Tensor:
    """Zhou et al., CVPR 2016, eq. 2: Σ_k w_k A_k, w the weights of the head."""
    return torch.einsum("k,bkhw->bhw", net.head.weight[TARGET].detach(), net.features(images).detach())


@pytest.mark.parametrize("method", [GradCam(relu=False), HiresCam(), XgradCam()], ids=lambda method: method.name)
def test_after_mean_pooling_and_a_linear_layer_a_map_is_cam_over_the_number_of_positions(pooled: Pooled, method: Method) -> None:
    images = zoo.images(3, dtype=torch.float64)
    assert_close(method.on_grid(zoo.model(pooled, dtype=torch.float64), images, TARGET)[:, 0], cam(pooled, images) / 9, TIGHT)


def test_layer_cam_is_there_the_cam_of_the_positive_weights(pooled: Pooled) -> None:
    images = zoo.images(3, dtype=torch.float64)
    expected = torch.einsum("k,bkhw->bhw", pooled.head.weight[TARGET].detach().relu(), pooled.features(images).detach()) / 9
    assert_close(LayerCam().on_grid(zoo.model(pooled, dtype=torch.float64), images, TARGET)[:, 0], expected, TIGHT)


def test_ablation_cam_weighs_there_by_what_a_channel_adds_to_the_score(pooled: Pooled) -> None:
    images = zoo.images(3, dtype=torch.float64)
    activation = pooled.features(images).detach()
    part = pooled.head.weight[TARGET].detach() * activation.mean((2, 3))
    expected = (part[:, :, None, None] * activation).sum(1)
    assert_close(AblationCam(relu=False).on_grid(zoo.model(pooled, dtype=torch.float64), images, TARGET)[:, 0], expected, 1e-10)


@pytest.mark.parametrize("method", [HiresCam(), XgradCam()], ids=lambda method: method.name)
def test_where_the_rest_is_linear_a_map_sums_to_the_score_less_its_bias(method: Method) -> None:
    net = zoo.filled(nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 4)), seed=23).double().eval()
    images = zoo.images(3, dtype=torch.float64)
    expected = (net(images)[:, TARGET] - net[3].bias[TARGET]).detach()
    assert_close(method.on_grid(zoo.model(net, dtype=torch.float64), images, TARGET).sum((1, 2, 3)), expected, TIGHT)


def test_hires_cam_at_the_input_is_input_times_gradient_summed_over_channels() -> None:
    model, images = zoo.model(nn.Sequential(nn.Identity(), zoo.smooth_conv())), zoo.images(3)
    gradient = Method.from_dict("input_x_gradient").attribute(model, images, TARGET).values
    assert_close(HiresCam(layer="0").on_grid(model, images, TARGET), gradient.sum(1, keepdim=True), 1e-6)


def test_eigen_cam_of_activations_that_are_not_negative_is_not_negative_and_knows_no_class() -> None:
    model, images = zoo.model(zoo.bias_free_conv()), zoo.images(4)
    found = EigenCam().on_grid(model, images, 0)
    assert (found >= 0).all()
    assert found.flatten(1).any(1).all()
    assert torch.equal(found, EigenCam().on_grid(model, images, 3))


def test_the_relu_of_a_map_is_a_setting_and_says_when_nothing_is_left() -> None:
    net = zoo.filled(Pooled(), seed=22)
    net.head.weight.data[0] = -1.0
    model, images = zoo.model(net), zoo.images(2)
    clipped, signed = (GradCam(relu=relu).attribute(model, images, 0) for relu in (True, False))
    assert not clipped.values.any()
    said = "the map is zero everywhere: no value of the signed map was positive, and the method's ReLU made them zero"
    assert clipped.notes == (f"{said}; relu=False keeps them",) * 2
    assert signed.notes == ("", "")
    assert (signed.values <= 0).all()
    assert signed.values.any()


# --- channels --------------------------------------------------------------------------------------------------------------


def test_fewer_channels_are_those_of_largest_norm_and_are_noted(pooled: Pooled) -> None:
    images = zoo.images(2, dtype=torch.float64)
    method = AblationCam(channels=3, relu=False)
    found = method.attribute(zoo.model(pooled, dtype=torch.float64), images, TARGET)
    assert found.passes.forward == 2 * (1 + 3)
    assert all("3 of the layer's 7 channels were evaluated" in note for note in found.notes)
    activation = pooled.features(images).detach()
    part = pooled.head.weight[TARGET].detach() * activation.mean((2, 3))
    for row, keep in enumerate(activation.flatten(2).norm(dim=2).topk(3).indices):
        expected = (part[row, keep, None, None] * activation[row, keep]).sum(0)
        assert_close(method.on_grid(zoo.model(pooled, dtype=torch.float64), images, TARGET)[row, 0], expected, 1e-10)


def test_a_layer_with_no_more_channels_than_allowed_costs_as_many_rows_as_it_has() -> None:
    found = ScoreCam().attribute(zoo.model(zoo.bias_free_conv()), zoo.images(2), 0)
    assert (found.passes.forward, found.passes.backward) == (2 * 7, 0)
    assert found.notes == ("", "")
    assert found.passes.forward <= 2 * ScoreCam().cost((1, 28, 28)).forward


def test_a_channel_that_is_the_same_everywhere_hides_all() -> None:
    net = zoo.filled(Pooled(), seed=22, scale=2).double().eval()
    net.features[2].weight.data[0], net.features[2].bias.data[0] = 0.0, 1.0
    images = zoo.images(1, dtype=torch.float64)
    expected = slow.score_cam(lambda x: net.features(x[None])[0].detach(), lambda a: net.head(a.mean((1, 2)))[TARGET], images[0])
    assert_close(ScoreCam().on_grid(zoo.model(net, dtype=torch.float64), images, TARGET)[0, 0], expected, 1e-10)
