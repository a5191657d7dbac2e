"""How the axes of a layer's output are read: by what made them, not by their lengths."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.core.errors import ModelError, SettingsError
from heatproof.methods import EigenCam, GradCam, HiresCam
from heatproof.models import Bounds, Model
from heatproof.tracing.capture import default_layer, site_of, spatial_layers
from heatproof.tracing.grid import Grid
from tests.support import zoo
from tests.support.close import assert_close


class Through(nn.Module):
    """An image, as an operation between modules lays it out, given to a layer that does nothing."""

    def __init__(self, lay_out: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.lay_out, self.layer = lay_out, nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2, 3))[:, None] + self.layer(self.lay_out(x)).sum()


def image(h: int = 8, w: int = 12, channels: int = 8) -> Tensor:
    """Every value says where it is."""
    return torch.arange(2.0 * channels * h * w, dtype=torch.float64).view(2, channels, h, w)


def read(lay_out: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    grid = site_of(of(Through(lay_out), x), x, "layer").grid
    return grid.of(lay_out(x))


def of(module: nn.Module, x: Tensor) -> Model:
    return Model(module, Bounds.of(0, 1, channels=x.shape[1]))


def windows(x: Tensor, size: int = 4) -> Tensor:
    b, h, w, c = x.shape
    parts = x.view(b, h // size, size, w // size, size, c).permute(0, 1, 3, 2, 4, 5)
    return parts.contiguous().view(-1, size * size, c)


def joined(parts: Tensor, h: int, w: int, size: int = 4) -> Tensor:
    found = parts.view(-1, h // size, w // size, size, size, parts.shape[-1])
    return found.permute(0, 1, 3, 2, 4, 5).contiguous().view(found.shape[0], h, w, -1)


def tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


EYE = torch.eye(8, dtype=torch.float64)

IN_ORDER: dict[str, Callable[[Tensor], Tensor]] = {
    "as it stands": lambda x: x,
    "channels last": last,
    "columns before rows": lambda x: x.transpose(2, 3),
    "tokens": tokens,
    "positions after channels": lambda x: x.flatten(2),
    "tokens before the batch": lambda x: tokens(x).transpose(0, 1),
    "tokens after a class token": lambda x: torch.cat([tokens(x).new_zeros(len(x), 1, 8), tokens(x)], 1),
    "tokens between others": lambda x: torch.cat(
        [EYE[:1, :3, None].expand(len(x), 3, 8), tokens(x), EYE[None, :2].expand(len(x), 2, 8)], 1
    ),
    "tokens without the class token": lambda x: torch.cat([tokens(x).new_zeros(len(x), 2, 8), tokens(x)], 1)[:, 2:],
    "tokens without one of two class tokens": lambda x: torch.cat([tokens(x).new_zeros(len(x), 2, 8), tokens(x)], 1)[:, 1:],
    "batch and tokens in one axis and back": lambda x: tokens(x).flatten(0, 1).relu().view(len(x), -1, 8),
    "windows and back": lambda x: joined(windows(last(x)), x.shape[2], x.shape[3]),
    "shifted windows and back": lambda x: torch.roll(
        joined(windows(torch.roll(last(x), (-2, -2), (1, 2))), x.shape[2], x.shape[3]), (2, 2), (1, 2)
    ),
    "heads and back": lambda x: tokens(x).reshape(len(x), -1, 2, 4).transpose(1, 2).transpose(1, 2).flatten(2),
    "parts of the channels": lambda x: torch.cat(x.chunk(4, 1), 1),
    "a linear layer": lambda x: F.linear(last(x), EYE),
    "a matrix": lambda x: tokens(x) @ EYE,
    "an einsum": lambda x: torch.einsum("bchw,cd->bdhw", x, EYE),
    "a convolution": lambda x: F.conv2d(x, EYE[:, :, None, None]),
    "a convolution over tokens": lambda x: F.conv1d(x.flatten(2), EYE[:, :, None]),
    "attention to itself": lambda x: torch.eye(x.shape[2] * x.shape[3]).double() @ tokens(x) * 0 + tokens(x),
    "padded and cropped": lambda x: F.pad(last(x), (0, 0, 0, 3, 0, 3))[:, : x.shape[2], : x.shape[3]],
    "written into": lambda x: x.clone().mul_(1).add_(0),
    "in another type": lambda x: last(x).float().double(),
    "stacked and taken out": lambda x: torch.stack([x, x], 1)[:, 1],
    "permuted channels": lambda x: x[:, torch.arange(8)],
}


@pytest.mark.parametrize("name", IN_ORDER)
@pytest.mark.parametrize("size", [(8, 12), (8, 8), (64, 4), (4, 64)], ids=str)
@pytest.mark.parametrize("n", [1, 2])
def test_the_image_is_read_back_however_it_is_laid_out(name: str, size: tuple[int, int], n: int) -> None:
    """Also where another reading fits the shape: 8 channels beside 8 rows, 64 tokens of an image of 64 rows."""
    x = image(*size)[:n]
    assert torch.equal(read(IN_ORDER[name], x), x)


OUT_OF_ORDER: dict[str, Callable[[Tensor], Tensor]] = {
    "windows": lambda x: windows(last(x)),
    "shifted": lambda x: torch.roll(x, 2, 3),
    "shifted as a whole": lambda x: torch.roll(x, 2),
    "reversed": lambda x: x.flip(1, 3),
    "turned": lambda x: torch.rot90(x[..., :8], 1, (2, 3)),
    "selected tokens": lambda x: tokens(x)[:, torch.arange(16)],
    "half of the tokens": lambda x: tokens(x)[:, :48],
    "sorted tokens": lambda x: tokens(x).sort(1).values,
    "gathered tokens": lambda x: tokens(x).gather(1, torch.arange(64)[None, :, None].expand(2, 64, 8)),
    "the largest of each channel": lambda x: tokens(x).topk(16, 1).values,
    "taken tokens": lambda x: torch.take_along_dim(tokens(x), torch.arange(16)[None, :, None], 1),
    "mixed tokens": lambda x: F.linear(x.flatten(2), torch.eye(96, dtype=torch.float64)),
    "one position": lambda x: F.adaptive_avg_pool1d(x.flatten(2), 1),
    "pooled tokens": lambda x: F.avg_pool1d(x.flatten(2), 2),
    "one class token": lambda x: torch.cat([tokens(x).new_zeros(len(x), 1, 8), tokens(x)], 1)[:, :1],
}


@pytest.mark.parametrize("name", OUT_OF_ORDER)
def test_what_is_no_image_is_refused_though_its_shape_may_fit(name: str) -> None:
    x = image()
    with pytest.raises(SettingsError, match="has no output of more than one position"):
        site_of(of(Through(OUT_OF_ORDER[name]), x), x, "layer")


@pytest.mark.parametrize("name", ["space to depth", "by slices"])
def test_coarser_grids_keep_their_order(name: str) -> None:
    x = image(8, 8)
    b, c, h, w = x.shape

    def by_views(x: Tensor) -> Tensor:
        return F.layer_norm(last(x).reshape(b, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 4, 2, 5).flatten(3), (4 * c,))

    def by_slices(x: Tensor) -> Tensor:
        y = last(x)
        return torch.cat([y[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1)

    lay_out = by_views if name == "space to depth" else by_slices
    assert site_of(of(Through(lay_out), x), x, "layer").grid == Grid("b h w c", 4, 4)


# --- networks in the wild --------------------------------------------------------------------------------------------------


class Signal(nn.Module):
    """Rows are kept and columns pooled, as for spectrograms and electrodes; rows may then be mixed into one."""

    def __init__(self, width: int, rows: int = 1) -> None:
        super().__init__()
        self.conv, self.pool = nn.Conv2d(1, width, 3, padding=1), nn.AvgPool2d((1, 4))
        self.last, self.head = nn.Conv2d(width, width, (rows, 1)), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.silu(self.last(self.pool(F.silu(self.conv(x))))).mean((2, 3)))


class SequencePooling(nn.Module):
    """Tokens weighted by numbers that a linear layer computes from them, as in a compact convolutional transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm = nn.Conv2d(3, 32, 4, stride=4), nn.LayerNorm(32)
        self.pool, self.head = nn.Linear(32, 1), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.patches(x).flatten(2).transpose(1, 2))
        return self.head((self.pool(x).softmax(1) * x).sum(1))


class ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm, self.head = nn.Conv2d(3, 16, 4, stride=4), nn.LayerNorm(16), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(last(self.patches(x))).mean((1, 2)))


def flat() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 256, 4, stride=4), nn.Flatten(2), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(256, 3))


def as_it_stands(a: Tensor) -> Tensor:
    return a


WILD = {
    "spectrogram with as many channels as rows": (lambda: Signal(64), (1, 64, 64), "last", as_it_stands),
    "mel spectrogram": (lambda: Signal(32), (1, 64, 128), "last", as_it_stands),
    "electrodes, before they are mixed": (lambda: Signal(16, rows=62), (1, 62, 250), "pool", as_it_stands),
    "electrodes, mixed": (lambda: Signal(16, rows=62), (1, 62, 250), "last", as_it_stands),
    "one column": (lambda: Signal(16), (1, 60, 8), "last", as_it_stands),
    "positions in a row": (flat, (3, 28, 28), "1", lambda a: a.unflatten(2, (7, 7))),
    "sequence pooling": (SequencePooling, (3, 28, 28), "norm", lambda a: a.transpose(1, 2).unflatten(2, (7, 7))),
    "channels last": (ChannelsLast, (3, 32, 64), "norm", lambda a: a.permute(0, 3, 1, 2)),
}


def by_hand(net: nn.Module, layer: str, x: Tensor, grid: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """HiResCAM and Grad-CAM of class 1, signed, from the layer's output on its grid."""
    seen: list[Tensor] = []
    handle = net.get_submodule(layer).register_forward_hook(lambda _, __, output: seen.append(output))
    score = net(x)[:, 1].sum()
    handle.remove()
    a, g = grid(seen[0]), grid(torch.autograd.grad(score, seen[0])[0])
    maps = (a * g).sum(1, keepdim=True), (g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True)
    return maps[0].detach(), maps[1].detach()


@pytest.mark.parametrize("name", WILD)
@pytest.mark.parametrize("named", [True, False], ids=["named", "chosen"])
def test_a_map_is_that_of_the_layer_by_hand(name: str, named: bool) -> None:
    build, shape, layer, grid = WILD[name]
    net = zoo.filled(build(), seed=41, scale=2).double().eval()
    x = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = of(net, x)
    if not named and name != "electrodes, before they are mixed":
        assert default_layer(model, x) == layer
    hires, grad = by_hand(net, layer, x, grid)
    where = layer if named or layer == "pool" else None
    assert_close(HiresCam(layer=where).on_grid(model, x, 1), hires, 1e-10)
    assert_close(GradCam(layer=where, relu=False).on_grid(model, x, 1), grad, 1e-10)


def test_pooled_features_are_one_position() -> None:
    x = torch.rand(2, 3, 28, 28)
    assert spatial_layers(of(flat(), x), x) == {"0": (256, 7, 7), "1": (256, 7, 7)}


# --- where nothing decides -------------------------------------------------------------------------------------------------


class Hidden(torch.autograd.Function):
    """An operation that no tracer sees into."""

    @staticmethod
    def forward(_: object, x: Tensor) -> Tensor:
        return torch.from_numpy(x.detach().numpy()[:, :1, ::2, ::2].repeat(4, 1))


class Opaque(nn.Module):
    """A layer [b, 4, 4, 4] of which nothing is known, for images [b, 3, 8, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = Through(lambda x: x).layer, nn.Linear(4, 3)
        self.layer.forward = Hidden.apply  # type: ignore[method-assign]

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x).mean((2, 3)))


@pytest.mark.parametrize(("layer", "error"), [("layer", SettingsError), (None, ModelError)])
def test_two_readings_are_refused_until_the_layout_is_said(layer: str | None, error: type[Exception]) -> None:
    x = torch.rand(2, 3, 8, 8)
    model = of(Opaque(), x)
    with pytest.raises(
        error, match=r"expected a layer whose axes can be read in one way, got 'layer' \[2, 4, 4, 4\].*layout='b c h w'"
    ):
        EigenCam(layer=layer).attribute(model, x)
    first, last_ = (EigenCam(layer=layer, layout=layout).on_grid(model, x) for layout in ("b c h w", "b h w c"))
    expected = EigenCam()._first_component(x[:, :1, ::2, ::2].repeat(1, 4, 1, 1))[:, None]
    assert_close(first, expected, 1e-5)
    assert first.shape == last_.shape
    assert not torch.allclose(first, last_)


def test_a_layout_that_the_layer_cannot_have_is_refused() -> None:
    x = torch.rand(2, 3, 28, 28)
    with pytest.raises(SettingsError, match="got '0', which has no output of more than one position in the order 'b n c'"):
        GradCam(layer="0", layout="b n c").attribute(of(flat(), x), x, 0)
    with pytest.raises(ValueError, match="layout"):
        GradCam(layout="b w h c")
