"""The small networks and inputs of the tasks, and maps of them computed by hand."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def convolutional(dimensions: int = 2, channels: int = 3, classes: int = 3) -> nn.Sequential:
    """Two convolutions, the mean over positions, a linear head; for signals, images or volumes."""
    convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1]
    pool, mean = (
        (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[dimensions - 1],
        (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    )
    torch.manual_seed(0)
    layers = [convolution(channels, 8, 3, padding=1), nn.ReLU(), pool(2), convolution(8, 16, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, mean[dimensions - 1](1), nn.Flatten(), nn.Linear(16, classes)).eval()


def drawn(*shape: int) -> Tensor:
    """Numbers in [0, 1]."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def grad_cam(network: nn.Module, layer: nn.Module, x: Tensor, target: int, tokens: Any = None) -> Tensor:
    """Grad-CAM by its formula, at the size of the input; `tokens` brings a layer's output to its grid."""
    kept: list[Tensor] = []
    handle = layer.register_forward_hook(lambda *call: kept.append(call[2]))
    try:
        outputs = network(x)
    finally:
        handle.remove()
    score = getattr(outputs, "logits", outputs)[:, target].sum()
    gradient, activation = (tokens(each) if tokens else each for each in (torch.autograd.grad(score, kept[0])[0], kept[0]))
    weights = gradient.mean(tuple(range(2, gradient.ndim)), keepdim=True)
    mode = {3: "linear", 4: "bilinear", 5: "trilinear"}[activation.ndim]
    return F.interpolate((weights * activation).sum(1, keepdim=True).relu(), size=x.shape[2:], mode=mode).detach()


def integrated_gradients(network: nn.Module, x: Tensor, target: int, steps: int = 2000) -> Tensor:
    """The path integral from zero by its midpoint sum, with many steps."""
    total = torch.zeros_like(x)
    for chunk in torch.split((torch.arange(steps) + 0.5) / steps, 100):
        points = (chunk.view(-1, *[1] * (x.ndim - 1)) * x).requires_grad_()
        total += torch.autograd.grad(network(points)[:, target].sum(), points)[0].sum(0, keepdim=True)
    return x * total / steps


class Segmenting(nn.Module):
    """Scores for each pixel, in a dictionary as torchvision's."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.classifier = nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """`[b, k, h, w]` under "out"."""
        return {"out": F.interpolate(self.classifier(self.features(x)), size=x.shape[2:], mode="bilinear")}


class TwoInputs(nn.Module):
    """An image and a row of numbers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4 + 5, 3)

    def forward(self, image: Tensor, row: Tensor) -> Tensor:
        """`[b, k]`."""
        scores: Tensor = self.head(torch.cat([self.convolution(image).tanh().mean((2, 3)), row], 1))
        return scores
