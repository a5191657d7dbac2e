"""The EfficientNet-Lite network: inverted bottlenecks with ReLU6 and without squeeze-and-excitation.

    expand 1×1 · BN · ReLU6 → depthwise k×k · BN · ReLU6 → project 1×1 · BN  (+ input, if the stride is 1 and the widths agree)

Every activation and every padding is a module of its own, and no activation overwrites its input, so that each operation can be
captured or replaced by itself. Source: Tan & Le, "EfficientNet", ICML 2019; the Lite variants as released in TensorFlow's TPU
repository.
"""

import math

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

STAGES = (
    # repeats, kernel, stride, expansion, width in, width out
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
HEAD_WIDTH = 1280
EPSILON = 1e-3
"""The ε of every batch normalisation."""


class SamePadding(nn.Module):
    """Zero padding so that a k×k convolution of stride s has ⌈n/s⌉ outputs; an odd number has its extra zero at the right and
    bottom.
    """

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        """The padded feature map."""
        below, right = (max((math.ceil(n / self.stride) - 1) * self.stride + self.kernel - n, 0) for n in x.shape[-2:])
        return F.pad(x, (right // 2, right - right // 2, below // 2, below - below // 2))

    def extra_repr(self) -> str:
        """The settings in the printed structure."""
        return f"kernel={self.kernel}, stride={self.stride}"


class Bottleneck(nn.Module):
    """An inverted bottleneck."""

    def __init__(self, width_in: int, width_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = width_in * expansion
        self.expand = _convolution(width_in, inner, 1, activate=True) if expansion != 1 else nn.Sequential()
        self.depthwise = _convolution(inner, inner, kernel, stride=stride, groups=inner, activate=True)
        self.project = _convolution(inner, width_out, 1, activate=False)
        self.residual = stride == 1 and width_in == width_out

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        """The next feature map."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientnetLite(nn.Module):
    """EfficientNet-Lite0: images `[b, 3, h, w]` of any size → logits `[b, classes]`."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.stem = _convolution(3, STAGES[0][4], 3, stride=2, activate=True)
        self.blocks = nn.Sequential(
            *(
                Bottleneck(width_in if repeat == 0 else width_out, width_out, kernel, stride if repeat == 0 else 1, expansion)
                for repeats, kernel, stride, expansion, width_in, width_out in STAGES
                for repeat in range(repeats)
            )
        )
        self.head = _convolution(STAGES[-1][5], HEAD_WIDTH, 1, activate=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(HEAD_WIDTH, classes)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k"]:
        """Logits."""
        out: Tensor = self.classifier(self.flatten(self.pool(self.head(self.blocks(self.stem(x))))))
        return out


def _convolution(width_in: int, width_out: int, kernel: int, *, stride: int = 1, groups: int = 1, activate: bool) -> nn.Sequential:
    """Padding, convolution without bias, batch normalisation and, if `activate`, ReLU6."""
    layers = nn.Sequential()
    if kernel > 1:
        layers.add_module("padding", SamePadding(kernel, stride))
    layers.add_module("convolution", nn.Conv2d(width_in, width_out, kernel, stride, groups=groups, bias=False))
    layers.add_module("normalisation", nn.BatchNorm2d(width_out, eps=EPSILON))
    if activate:
        layers.add_module("activation", nn.ReLU6())
    return layers


def translate(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with the released names of the weights, renamed to the names of this network."""
    return {_translate(key): value for key, value in state.items()}


_OUTER = {
    "_conv_stem": "stem.convolution",
    "_bn0": "stem.normalisation",
    "_conv_head": "head.convolution",
    "_bn1": "head.normalisation",
    "_fc": "classifier",
}
_INNER = {
    "_expand_conv": "expand.convolution",
    "_bn0": "expand.normalisation",
    "_depthwise_conv": "depthwise.convolution",
    "_bn1": "depthwise.normalisation",
    "_project_conv": "project.convolution",
    "_bn2": "project.normalisation",
}


def _translate(key: str) -> str:
    first, *rest = key.split(".")
    if first != "_blocks":
        return ".".join([_OUTER.get(first, first), *rest])
    index, part, *rest = rest
    return ".".join(["blocks", index, _INNER.get(part, part), *rest])
