"""The layer chosen by execution is one that the output is computed from."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.core.errors import ModelError, SettingsError
from heatproof.methods import AblationCam, EigenCam, GradCam, HiresCam, Method, ScoreCam
from heatproof.models import Bounds, Model
from heatproof.passes.network_checks import check_network
from heatproof.tracing.capture import capture, captured_activation, default_layer, site_of
from tests.support import zoo
from tests.support.close import assert_close


def doubles(n: int = 3, height: int = 8, width: int = 8) -> Tensor:
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def of(module: nn.Module, **fields: Any) -> Model:
    return Model(zoo.filled(module, seed=51, scale=2).double(), Bounds.of(0, 1, channels=3), **fields)


def by_hand(
    net: nn.Module, layer: str, x: Tensor, logits: Callable[[Any], Tensor], grid: Callable[[Tensor], Tensor]
) -> list[Tensor]:
    """HiResCAM and Grad-CAM of class 1, signed, from the first tensor that the layer returns."""
    seen: list[Tensor] = []

    def see(_: nn.Module, __: Any, output: Any) -> None:
        seen.append(output if isinstance(output, Tensor) else output[0])

    handle = net.get_submodule(layer).register_forward_hook(see)
    score = logits(net(x))[:, 1].sum()
    handle.remove()
    a, g = grid(seen[-1]), grid(torch.autograd.grad(score, seen[-1])[0])
    return [(a * g).sum(1, keepdim=True).detach(), (g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True).detach()]


# --- networks of transformers ----------------------------------------------------------------------------------------------

TINY: dict[str, tuple[str, dict[str, Any], str, Callable[[Tensor], Tensor]]] = {
    "ResNet": ("ResNet", {"hidden_sizes": [16, 32], "depths": [1, 1], "embedding_size": 8}, "resnet.encoder", lambda a: a),
    "ConvNext": (
        "ConvNext",
        {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2, "layer_scale_init_value": 0.5},
        "convnext.encoder",
        lambda a: a,
    ),
    "ConvNextV2": ("ConvNextV2", {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}, "convnextv2.encoder", lambda a: a),
    "Swin": (
        "Swin",
        {"image_size": (32, 64), "patch_size": 4, "embed_dim": 8, "depths": [2, 1], "num_heads": [2, 2], "window_size": 4},
        "swin.layernorm",
        lambda a: a.transpose(1, 2).unflatten(2, (4, 8)),
    ),
    "MobileNetV2": ("MobileNetV2", {"depth_multiplier": 0.35}, "mobilenet_v2.conv_1x1", lambda a: a),
}


@pytest.mark.parametrize("name", TINY)
def test_networks_that_return_hidden_states_are_explained_as_by_hand(name: str) -> None:
    """On the first call and later ones, with one image and more, though their models hand on a copy that no class reads."""
    transformers = pytest.importorskip("transformers")
    kind, settings, layer, grid = TINY[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = getattr(transformers, f"{kind}ForImageClassification")(
            getattr(transformers, f"{kind}Config")(num_labels=5, **settings)
        )
    net = net.eval().double()
    x = doubles(3, 32, 64)
    hires, grad = by_hand(net, layer, x, lambda output: output.logits, grid)
    for n in (1, 2, 3):
        model = Model(net, Bounds.of(0, 1, channels=3))
        for _ in range(2):
            assert_close(HiresCam().on_grid(model, x[:n], 1), hires[:n], 1e-9)
            assert_close(GradCam(relu=False).on_grid(model, x[:n], 1), grad[:n], 1e-9)
    assert default_layer(model, x) == layer
    for method in (AblationCam(channels=4, relu=False), ScoreCam(channels=4, relu=False), EigenCam()):
        found = method.attribute(model, x[:2], 1)
        assert found.values.flatten(1).any(1).all()
        assert not any("zero" in note for note in found.notes)


# --- what is upstream ------------------------------------------------------------------------------------------------------


class Wrapped(nn.Module):
    """Returns its last activation first, and beside it the features that the classes read."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.conv, self.how = nn.Conv2d(3, 6, 3), how

    def forward(self, x: Tensor) -> Any:
        a = F.silu(self.conv(x))
        return {"pooled": (a, a.mean((2, 3))), "twice": {"last": a, "all": [a, a]}, "alone": a}[self.how]


class Classifier(nn.Module):
    def __init__(self, how: str, read: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.body, self.read, self.head = Wrapped(how), read, nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.read(self.body(x)))


def pooled_apart() -> nn.Module:
    return Classifier("pooled", lambda out: out[1])


def pooled_and_read() -> nn.Module:
    return Classifier("pooled", lambda out: out[1] + out[0].amax((2, 3)))


def one_of_the_same() -> nn.Module:
    return Classifier("twice", lambda out: out["all"][1].mean((2, 3)))


@pytest.mark.parametrize(
    ("build", "chosen", "why"),
    [
        (pooled_apart, "body.conv", "returns first what the output does not depend on"),
        (pooled_and_read, "body.conv", "returns first what the output also reads by another way"),
        (one_of_the_same, "body", None),
    ],
)
def test_a_layer_that_the_output_reads_around_is_passed_over_and_refused(build: Any, chosen: str, why: str | None) -> None:
    net = build()
    model, x = of(net), doubles()
    assert default_layer(model, x) == chosen
    hires, grad = by_hand(net, "body.conv", x, lambda output: output, lambda a: a)
    if why is None:
        a = F.silu(net.body.conv(x)).detach().requires_grad_()
        (g,) = torch.autograd.grad(net.head(a.mean((2, 3)))[:, 1].sum(), a)
        assert_close(HiresCam(layer="body").on_grid(model, x, 1), (a * g).sum(1, keepdim=True).detach(), 1e-10)
        return
    assert_close(HiresCam().on_grid(model, x, 1), hires, 1e-10)
    assert_close(GradCam(relu=False).on_grid(model, x, 1), grad, 1e-10)
    for method in (GradCam(layer="body"), AblationCam(layer="body"), EigenCam(layer="body")):
        with pytest.raises(SettingsError, match=rf"got 'body', which {why}.*body\.conv \[6, 6, 6\]"):
            method.attribute(model, x, 1)


class Written(nn.Module):
    """What the layer gives goes into a part of another tensor, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 6, 3), nn.Linear(9, 4)

    def forward(self, x: Tensor) -> Tensor:
        a = self.conv(x)
        whole = x[:, :, 1:-1, 1:-1].repeat(1, 3, 1, 1)
        whole[:, 3:].mul_(0).add_(a)
        return self.head(whole.sin().mean((2, 3)))


def test_what_is_written_into_a_view_is_upstream() -> None:
    net = Written()
    model, x = of(net), doubles()
    hires, _ = by_hand(net, "conv", x, lambda output: output, lambda a: a)
    assert_close(HiresCam().on_grid(model, x, 1), hires, 1e-10)


class Skipped(nn.Module):
    """A shortcut that does nothing runs last; its result is the tensor that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.main, self.shortcut, self.head = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 1), nn.Identity(), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        a = self.conv(x).sin()
        return self.head((self.main(a) + self.shortcut(a)).sin().mean((2, 3)))


def test_a_shortcut_is_no_default_but_may_be_named_for_what_goes_through_it() -> None:
    net = Skipped()
    model, x = of(net), doubles()
    assert default_layer(model, x) == "main"
    a = net.conv(x).sin().detach()
    through = a.clone().requires_grad_()
    (g,) = torch.autograd.grad(net.head((net.main(a) + through).sin().mean((2, 3)))[:, 1].sum(), through)
    assert_close(HiresCam(layer="shortcut").on_grid(model, x, 1), (g * a).sum(1, keepdim=True).detach(), 1e-10)


class Gated(nn.Module):
    """One number for each position, computed last, weighs the features."""

    def __init__(self, *, alone: bool) -> None:
        super().__init__()
        self.conv, self.gate, self.head, self.alone = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 1, 1), nn.Linear(1 if alone else 6, 4), alone

    def forward(self, x: Tensor) -> Tensor:
        a = F.silu(self.conv(x))
        weights = self.gate(a)
        return self.head((weights if self.alone else a * weights.sigmoid()).mean((2, 3)))


@pytest.mark.parametrize(("alone", "chosen"), [(False, "conv"), (True, "gate")])
def test_weights_of_positions_are_passed_over_unless_all_goes_through_them(alone: bool, chosen: str) -> None:
    assert default_layer(of(Gated(alone=alone)), doubles()) == chosen


# --- what it costs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [GradCam(), EigenCam(), AblationCam()], ids=lambda method: method.name)
def test_the_traced_pass_is_remembered(method: Method) -> None:
    rows: list[int] = []
    net = zoo.residual()
    net.stem.register_forward_pre_hook(lambda _, args: rows.append(len(args[0])))
    model, images = zoo.model(net, chunk=4), zoo.images(4)
    for side in (zoo.SIDE, 16):
        check_network(model, zoo.images(1, side=side), gradients=True)
    rows.clear()
    passes = [method.attribute(model, images, 0).passes for _ in range(3)]
    assert passes[0] == passes[1] == passes[2]
    once = 2 + (1 + 2 + 2 + 3 + 3 if isinstance(method, AblationCam) else 0)  # the plan of passes that begin at the layer
    assert sum(rows) == 3 * passes[0].forward + once
    GradCam(layer="block").attribute(model, images, 0)
    assert sum(rows) == 3 * passes[0].forward + once + 4
    GradCam().attribute(model, zoo.images(4, side=16), 0)
    assert sum(rows) == 3 * passes[0].forward + once + 4 + 2 + 4, "once for every size of images"


def test_the_trace_of_a_network_is_forgotten_when_a_module_is_exchanged() -> None:
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.Flatten(), nn.Linear(96, 4))
    model, images = of(net), doubles()
    assert default_layer(model, images) == "2"
    net[2] = nn.AvgPool2d(3, 1)
    assert default_layer(model, images) == "2"
    net[2] = nn.Sequential(nn.AvgPool2d(3, 1), nn.Tanh()).double()
    assert site_of(model, images, "2.1").name == "2.1"


def test_no_graph_is_stored_before_the_layer() -> None:
    model, images = of(zoo.residual()), doubles()
    site = site_of(model, images)
    with torch.enable_grad(), model.running(), capture(model, site) as captured:
        model.outputs(images.requires_grad_())
    assert captured_activation(captured, model).is_leaf


class Lazy(nn.Module):
    """Runs a layer for some images only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.more, self.head = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 1), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        a = self.conv(x)
        return self.head((self.more(a) if x[0, 0, 0, 0] > 0 else a).mean((2, 3)))


def test_a_layer_that_does_not_run_for_all_images_is_refused() -> None:
    images = doubles(2)
    images[1] = -images[1]
    with pytest.raises(ModelError, match="expected the layer 'more' to run 1 times for all images, as for the first, got 0"):
        GradCam().attribute(of(Lazy(), chunk=1), images, 0)


class Masked(nn.Module):
    """The last layer computes a mask that no gradient passes."""

    def __init__(self, *, detach_all: bool) -> None:
        super().__init__()
        self.conv, self.mask, self.head, self.detach_all = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 1), nn.Linear(6, 4), detach_all

    def forward(self, x: Tensor) -> Tensor:
        a = self.conv(x)
        out = self.head((a * self.mask(a).sigmoid().detach()).mean((2, 3)))
        return out.detach() if self.detach_all else out


def test_what_is_detached_is_not_upstream_unless_the_output_is() -> None:
    partly, wholly = of(Masked(detach_all=False)), of(Masked(detach_all=True))
    assert default_layer(partly, doubles()) == "conv"
    assert HiresCam().attribute(partly, doubles()).values.flatten(1).any(1).all()
    assert default_layer(wholly, doubles()) == "mask"
