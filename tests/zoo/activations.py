"""Activations: the same function written in other words, and functions that overwrite what they read."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.zoo.network import BACKWARD, Step, awkward, convolutional, dense, head, table


@awkward("every activation overwrites the tensor that backward rules compare it with")
def in_place() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True), nn.Conv2d(6, 6, 3), nn.Hardswish(inplace=True), nn.ELU(inplace=True), head()
    )


@awkward("a sum that overwrites the branch it adds to")
class InPlaceResidual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block, self.head = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3, padding=1), head()

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x).relu_()
        out = self.block(h)
        out += h
        return self.head(out.relu_())


@awkward("scores that are written into a matrix one by one, and the matrix is returned", table)
def written_one_by_one() -> nn.Module:
    def write(z: Tensor) -> Tensor:
        scores = torch.zeros(len(z), 3, dtype=z.dtype)
        for k in range(3):
            scores[:, k] = z[:, k] * (k + 1)
        return scores

    return dense(write)


@awkward("one ReLU module stands in three places")
class SharedRelu(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.relu, self.first, self.second, self.head = nn.ReLU(), nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3), head()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.head(self.relu(self.second(self.relu(self.first(x)))))) - x.mean((1, 2, 3))[:, None]


@awkward("ReLU written as the maximum with zero")
def relu_by_maximum() -> nn.Module:
    return convolutional(lambda h: torch.maximum(h, torch.zeros_like(h)))


@awkward("ReLU written as a choice between two tensors")
def relu_by_where() -> nn.Module:
    return convolutional(lambda h: torch.where(h > 0, h, 0.0))


@awkward("ReLU written as a product with a mask")
def relu_by_mask() -> nn.Module:
    return convolutional(lambda h: h * (h > 0))


@awkward("ReLU written as half the sum with the magnitude")
def relu_by_magnitude() -> nn.Module:
    return convolutional(lambda h: (h + h.abs()) / 2)


@awkward("ReLU written as a limit below")
def relu_by_clamp() -> nn.Module:
    return convolutional(lambda h: h.clamp(min=0))


@awkward("SiLU written as a product with a sigmoid")
def silu_by_product() -> nn.Module:
    return convolutional(lambda h: h * torch.sigmoid(h))


@awkward("softplus less its value at zero, so that zero is no fixed point of the layer before")
def softplus() -> nn.Module:
    return convolutional(nn.Softplus(beta=3), nn.PReLU(6))


class Swish(torch.autograd.Function):
    """SiLU with a derivative by hand."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, upstream: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return upstream * (s * (1 + x * (1 - s)))


@awkward("an activation with its own `torch.autograd.Function`", refused={BACKWARD: "custom autograd.Function"})
def own_function() -> nn.Module:
    return convolutional(Swish.apply)


class BiasAfter(nn.Module):
    """A dense layer whose bias is added by an operation of its own."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(outputs, inputs) / 2), nn.Parameter(torch.randn(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight) + self.bias


@awkward("a bias that is added after the layer", table)
def bias_apart() -> nn.Module:
    return nn.Sequential(BiasAfter(7, 8), nn.ReLU(), BiasAfter(8, 3))


@awkward("a dense layer written as `torch.addmm`", table)
class Addmm(BiasAfter):
    def __init__(self) -> None:
        super().__init__(7, 8)
        self.last = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.addmm(self.bias, x, self.weight.T).relu())


@awkward("an activation that depends on its neighbours: the largest of each two channels")
def maxout() -> nn.Module:
    return convolutional(Step(lambda h: torch.cat([h.unflatten(1, (3, 2)).amax(2)] * 2, 1)))
