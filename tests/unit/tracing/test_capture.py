"""Activations of running networks: which one, on which grid, and nothing left behind."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.core.errors import ModelError, SettingsError
from heatproof.methods import AblationCam, EigenCam, GradCam, HiresCam, Method, ScoreCam
from heatproof.models import Model
from heatproof.passes.acceleration import Plan, apply
from heatproof.passes.activation import activation_gradients
from heatproof.tracing.axes import unknown_axes
from heatproof.tracing.capture import capture, default_layer, intervention, site_of, spatial_layers
from heatproof.tracing.grid import Grid, readings
from tests.support import zoo
from tests.support.close import assert_close
from tests.support.state import state_of

CAMS = [GradCam(), HiresCam(), EigenCam(), ScoreCam(), AblationCam()]
cams = pytest.mark.parametrize("method", CAMS, ids=lambda method: method.name)


class Block(nn.Module):
    """Attention and a perceptron, each after a normalisation and with a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width), nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm_2, self.mlp = (
            nn.LayerNorm(width),
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        x = x + self.attention(y, y, y)[0]
        return x + self.mlp(self.norm_2(x))


class Transformer(nn.Module):
    """Patches of 2 × 2 as tokens, after leading ones of which the first is read."""

    def __init__(self, leading: int = 1, width: int = 8) -> None:
        super().__init__()
        self.patches, self.leading = nn.Conv2d(3, width, 2, stride=2), leading
        self.tokens = nn.Parameter(torch.zeros(1, leading, width))
        self.blocks, self.norm = nn.Sequential(Block(width), Block(width)), nn.LayerNorm(width)
        self.head = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = self.norm(self.blocks(torch.cat([self.tokens.expand(len(x), -1, -1), x], 1)))
        return self.head(x[:, 0] if self.leading else x.mean(1))


class ChannelsLast(nn.Module):
    """Works on [b, h, w, c], as Swin does."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.mix, self.head = nn.Conv2d(3, 6, 2, stride=2), nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.mix(self.patches(x).permute(0, 2, 3, 1)).relu().mean((1, 2)))


class Recurrent(nn.Module):
    """One convolution and one activation, each run three times, the activation in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act, self.head = nn.Conv2d(3, 3, 3, padding=1), nn.SiLU(inplace=True), nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = x + self.act(self.conv(x))
        return self.head(x.mean((2, 3)))


class Several(nn.Module):
    """A layer that returns a list, a number and a mapping of tensors."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Any:
        y = self.inner(x)
        return 3, [y, y * 0], {"other": y}


class Receiving(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = Several(nn.Conv2d(3, 6, 3)), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.silu(self.layer(x)[1][0]).mean((2, 3)))


def of(module: nn.Module, seed: int = 31, **fields: Any) -> Model:
    return zoo.model(zoo.filled(module, seed, scale=2), dtype=torch.float64, **fields)


def doubles(n: int = 3, *, side: int = 8) -> Tensor:
    return zoo.images(n, side=side, dtype=torch.float64)


# --- grids -----------------------------------------------------------------------------------------------------------------


FIRST, LAST, TOKENS = "b c h w", "b h w c", "b n c"


@pytest.mark.parametrize(
    ("shape", "space", "grids"),
    [
        ((2, 64, 7, 7), (224, 224), [Grid(FIRST, 7, 7)]),
        ((2, 7, 7, 64), (224, 224), [Grid(LAST, 7, 7)]),
        ((2, 7, 7, 7), (224, 224), [Grid(FIRST, 7, 7), Grid(LAST, 7, 7)]),
        ((2, 64, 7, 5), (224, 160), [Grid(FIRST, 7, 5)]),
        ((2, 7, 5, 64), (224, 160), [Grid(LAST, 7, 5)]),
        ((2, 64, 64, 16), (64, 64), [Grid(LAST, 64, 64)]),
        ((2, 64, 14, 1), (224, 224), []),
        ((2, 197, 192), (224, 224), [Grid(TOKENS, 14, 14, 1)]),
        ((2, 196, 192), (224, 224), [Grid(TOKENS, 14, 14, 0)]),
        ((2, 198, 192), (224, 224), [Grid(TOKENS, 14, 14, 2)]),
        ((2, 261, 192), (224, 224), [Grid(TOKENS, 16, 16, 5)]),
        ((2, 40, 192), (70, 98), [Grid("b c n", 12, 16), Grid(TOKENS, 5, 7, 5)]),
        ((2, 141, 192), (224, 160), [Grid("b c n", 16, 12), Grid(TOKENS, 14, 10, 1)]),
        ((2, 141, 192), (160, 224), [Grid("b c n", 12, 16), Grid(TOKENS, 10, 14, 1)]),
        ((2, 49, 64), (224, 224), [Grid("b c n", 8, 8), Grid(TOKENS, 7, 7)]),
        ((2, 256, 1), (224, 224), []),
        ((2, 64, 1, 1), (224, 224), []),
        ((2, 1, 64), (224, 224), []),
        ((2, 64), (224, 224), []),
        ((2, 3, 4, 5, 6), (224, 224), []),
    ],
)
def test_where_nothing_else_is_known_shapes_decide_and_may_fit_twice(
    shape: tuple[int, ...], space: tuple[int, int], grids: list[Grid]
) -> None:
    found = readings(unknown_axes(shape), shape, 2, space, {})
    assert sorted(found) == grids


def test_tokens_are_read_row_by_row_without_the_leading_ones() -> None:
    tokens = torch.arange(2.0 * 7 * 5).view(2, 7, 5)
    found = Grid("b n c", 2, 3, leading=1).of(tokens)
    assert found.shape == (2, 5, 2, 3)
    assert torch.equal(found[1, 4], tokens[1, 1:, 4].view(2, 3))
    found[0, 2, 1, 1] = -1
    assert tokens[0, 5, 2] == -1, "a view"


# --- which layer -----------------------------------------------------------------------------------------------------------


def chosen(model: Model, layer: str | None = None) -> str:
    images = doubles()
    return next(activation_gradients(model, images, torch.zeros(3, dtype=torch.long), layer))[1].site.name


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (zoo.residual, "block_norm"),
        (zoo.bias_free_conv, "3"),
        (lambda: zoo.Packed(zoo.smooth_conv(), "tuple"), "inner.1"),
        (ChannelsLast, "mix"),
        (Recurrent, "act"),
        (lambda: Transformer(leading=0), "norm"),
        (lambda: Transformer(leading=1), "blocks.1.norm"),
        (lambda: Transformer(leading=2), "blocks.1.norm"),
    ],
    ids=["functional", "sequential", "packed", "channels last", "recurrent", "tokens", "class token", "two leading tokens"],
)
def test_the_layer_is_the_last_by_execution_or_the_one_before_the_last_attention(module: Any, name: str) -> None:
    model = of(module())
    assert chosen(model) == default_layer(model, doubles()) == name
    for method in CAMS:
        explicit = Method.from_dict({**method.to_dict(), "layer": name})
        images = doubles()
        assert_close(explicit.attribute(model, images).values, method.attribute(model, images).values, 1e-12)
        signed = Method.from_dict({**method.to_dict(), "relu": False})
        assert signed.attribute(model, images).values.flatten(1).any(1).all()


def test_layers_are_listed_in_order_of_execution_with_their_shapes() -> None:
    found = spatial_layers(of(Transformer()), doubles())
    assert next(iter(found.items())) == ("patches", (8, 4, 4))
    assert list(found.items())[-1] == ("norm", (8, 4, 4))
    assert "head" not in found


@pytest.mark.parametrize(
    ("layer", "why"), [("blocks.7", "is no module"), ("head", "has no output of more than one"), ("spare", "does not run")]
)
@cams
def test_an_impossible_layer_is_refused_with_those_there_are(method: Method, layer: str, why: str) -> None:
    module = Transformer()
    module.spare = nn.Conv2d(3, 3, 1)
    model = of(module)
    before = state_of(module)
    with pytest.raises(SettingsError) as refusal:
        Method.from_dict({**method.to_dict(), "layer": layer}).attribute(model, doubles(), 0)
    for word in ["expected a layer", f"got '{layer}', which {why}", "blocks.1.norm [8, 4, 4]", "norm [8, 4, 4]"]:
        assert word in str(refusal.value)
    assert state_of(module) == before


@cams
def test_a_network_without_places_is_refused(method: Method) -> None:
    with pytest.raises(ModelError, match=r"expected a layer with more than one position.*got none"):
        method.attribute(zoo.model(zoo.Linear((3, 8, 8))), zoo.images(2), 0)


# --- what is captured ------------------------------------------------------------------------------------------------------


def hires_by_hand(rest: Any, activation: Tensor) -> Tensor:
    leaf = activation.detach().requires_grad_()
    return (torch.autograd.grad(rest(leaf)[:, 0].sum(), leaf)[0] * leaf).detach()


def test_the_last_call_of_a_layer_counts() -> None:
    net = Recurrent()
    model, images = of(net), doubles()
    x = images
    for _ in range(2):
        x = x + F.silu(net.conv(x))
    expected = hires_by_hand(lambda a: net.head((x + a).mean((2, 3))), F.silu(net.conv(x))).sum(1, keepdim=True)
    assert_close(HiresCam(layer="act").on_grid(model, images, 0), expected, 1e-12)
    expected = hires_by_hand(lambda a: net.head((x + F.silu(a)).mean((2, 3))), net.conv(x)).sum(1, keepdim=True)
    assert_close(HiresCam(layer="conv").on_grid(model, images, 0), expected, 1e-12)


def test_an_ablation_silences_the_last_call_of_a_layer() -> None:
    net = Recurrent()
    model, images = of(net), doubles()
    x = images
    for _ in range(2):
        x = x + F.silu(net.conv(x))
    activation = F.silu(net.conv(x)).detach()
    weights = activation.mean((2, 3)) * net.head.weight[0].detach()
    expected = (weights[:, :, None, None] * activation).sum(1, keepdim=True)
    assert_close(AblationCam(layer="act", relu=False).on_grid(model, images, 0), expected, 1e-10)


def test_the_first_tensor_of_several_counts() -> None:
    net = Receiving()
    model, images = of(net), doubles()
    activation = net.layer.inner(images)
    expected = hires_by_hand(lambda a: net.head(F.silu(a).mean((2, 3))), activation).sum(1, keepdim=True)
    assert_close(HiresCam(layer="layer").on_grid(model, images, 0), expected, 1e-12)
    silenced = AblationCam(layer="layer", relu=False).on_grid(model, images, 0)
    weights = F.silu(activation).mean((2, 3)) * net.head.weight[0]
    assert_close(silenced, (weights[:, :, None, None] * activation).sum(1, keepdim=True).detach(), 1e-10)


def test_tokens_and_channels_last_are_brought_to_their_grid() -> None:
    net = Transformer()
    model, images = of(net), doubles()
    x = net.blocks[0](torch.cat([net.tokens.expand(3, -1, -1), net.patches(images).flatten(2).transpose(1, 2)], 1))
    last = net.blocks[1]

    def rest(y: Tensor) -> Tensor:
        z = x + last.attention(y, y, y)[0]
        return net.head(net.norm(z + last.mlp(last.norm_2(z)))[:, 0])

    expected = hires_by_hand(rest, last.norm(x))[:, 1:].sum(2).view(3, 1, 4, 4)
    assert_close(HiresCam().on_grid(model, images, 0), expected, 1e-10)

    swin = ChannelsLast()
    model = of(swin)
    activation = swin.mix(swin.patches(images).permute(0, 2, 3, 1))
    expected = hires_by_hand(lambda a: swin.head(a.relu().mean((1, 2))), activation).sum(3)[:, None]
    assert_close(HiresCam().on_grid(model, images, 0), expected, 1e-12)


def test_leading_tokens_keep_their_channels_when_one_is_silenced() -> None:
    net = Transformer()
    model, images = of(net), doubles(1)
    site = next(activation_gradients(model, images, torch.zeros(1, dtype=torch.long), "norm"))[1].site
    with torch.no_grad(), intervention(model, site, lambda grid: grid.zero_()):
        assert torch.equal(model.outputs(images), net(images)), "only the class token is read here"


@cams
@pytest.mark.parametrize("module", [Transformer, ChannelsLast, Recurrent, zoo.residual], ids=["tokens", "last", "again", "skip"])
def test_a_map_does_not_depend_on_chunks(method: Method, module: Any) -> None:
    model, images = of(module(), chunk=64), doubles(5)
    together = method.attribute(model, images, 1)
    for chunk in (1, 3, None):
        assert_close(method.attribute(model.with_(chunk=chunk), images, 1).values, together.values, 1e-9)
        assert method.attribute(model.with_(chunk=chunk), images, 1).passes == together.passes


# --- copies that compute in the network's place ----------------------------------------------------------------------------


@cams
@pytest.mark.parametrize(
    ("plan", "tolerance"),
    [(Plan(channels_last=True), 1e-4), (Plan(fold=True), 1e-4), (Plan(fold=True, bfloat16=True), 0.3)],
    ids=["channels last", "folded", "bfloat16"],
)
def test_layers_keep_their_names_in_an_accelerated_copy(method: Method, plan: Plan, tolerance: float) -> None:
    """In bfloat16 single values cross the kink of an activation, so the difference is that of the whole map."""
    model, images = zoo.model(zoo.residual()), zoo.images(4)
    fast = apply(plan, model, images)
    for layer in (None, "block_norm"):
        named = Method.from_dict({**method.to_dict(), "layer": layer})
        found = named.attribute(fast, images, 1).values
        assert found.dtype == torch.float32
        expected = named.attribute(model, images, 1).values
        assert (found - expected).norm() < tolerance * expected.norm()
    assert spatial_layers(fast, images) == spatial_layers(model, images)


# --- nothing is left behind ------------------------------------------------------------------------------------------------


@cams
@pytest.mark.parametrize("layer", [None, "inner.norm"], ids=["chosen", "named"])
@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize("error", [RuntimeError("broken layer"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_hooks_are_gone_after_a_failure(method: Method, layer: str | None, after: int, error: BaseException) -> None:
    class Breaking(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner, self.left = inner, after

        def forward(self, x: Tensor) -> Tensor:
            out = self.inner(x)
            if self.left == 0:
                raise error
            self.left -= 1
            return out

    module = Breaking(zoo.residual())
    before = state_of(module)
    with pytest.raises(type(error)):
        Method.from_dict({**method.to_dict(), "layer": layer}).attribute(zoo.model(module, chunk=1), zoo.images(5), 0)
    assert state_of(module) == before


def test_hooks_of_the_caller_stay_and_are_called() -> None:
    module, calls = zoo.residual(), []
    handle = module.block.register_forward_hook(lambda *_: calls.append(1))
    model = zoo.model(module)
    site = site_of(model, zoo.images(1))
    calls.clear()
    with torch.no_grad(), capture(model, site):
        module(zoo.images(1))
    assert calls == [1]
    handle.remove()
    assert not module.block._forward_hooks


def test_what_comes_after_the_layer_may_overwrite_it() -> None:
    """The activation is what the layer gave, not what an operation in place made of it."""
    overwriting, honest = (
        nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(inplace=inplace), nn.Flatten(), nn.Linear(216, 4)) for inplace in (True, False)
    )
    images = doubles()
    for method in CAMS:
        named = Method.from_dict({**method.to_dict(), "layer": "0"})
        found, expected = (named.attribute(of(module), images, 0).values for module in (overwriting, honest))
        assert torch.equal(found, expected)


def test_a_compiled_network_is_looked_into_as_it_was_written() -> None:
    module = zoo.residual().eval()
    compiled = torch.compile(module, backend="eager")
    compiled(zoo.images(2))
    for method in CAMS:
        found, expected = (method.attribute(zoo.model(net), zoo.images(2), 0).values for net in (compiled, module))
        assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("library", "architecture", "settings", "name"),
    [
        ("torchvision", "resnet18", {}, "layer4"),
        ("torchvision", "mobilenet_v3_small", {}, "features"),
        ("torchvision", "swin_t", {}, "permute"),
        ("timm", "vit_tiny_patch16_224", {"img_size": (64, 96), "depth": 2}, "blocks.1.norm1"),
        ("timm", "deit_tiny_distilled_patch16_224", {"img_size": (64, 96), "depth": 2}, "blocks.1.norm1"),
        ("timm", "vit_small_patch14_reg4_dinov2", {"img_size": (56, 84), "depth": 2, "num_classes": 3}, "blocks.1.norm1"),
        ("timm", "cait_xxs24_224", {"img_size": (64, 96), "depth": 1}, "blocks_token_only.1.norm1"),
    ],
)
def test_the_layer_chosen_in_known_architectures(library: str, architecture: str, settings: dict[str, Any], name: str) -> None:
    """One whose gradient does not vanish, and whose grid is the image's."""
    pytest.importorskip(library)
    if library == "timm":
        import timm

        net = timm.create_model(architecture, **settings)
    else:
        from torchvision.models import get_model

        net = get_model(architecture, weights=None)
    height, width = settings.get("img_size", (64, 96))
    images = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    model = zoo.model(net)
    assert default_layer(model, images) == name
    found = HiresCam().on_grid(model, images, 0)
    assert found.shape[2] * width == found.shape[3] * height
    assert (found != 0).float().mean() > 0.9
