"""Precision: networks in other types than float32, and types that change on the way."""

import torch
from torch import Tensor, nn

from tests.zoo.network import (
    ALL,
    DIFFERENTIATING,
    NO_ACTIVATION,
    NO_RULE,
    RELEVANCE,
    awkward,
    convolutional,
    dense,
    of_shape,
    table,
)
from tests.zoo.purity import BATCH


@awkward("a network in bfloat16", of_shape(3, 8, 8, dtype=torch.bfloat16), tolerance=0.05)
def bfloat16() -> nn.Module:
    return convolutional(nn.ReLU()).to(torch.bfloat16)


@awkward("a network in float16", of_shape(3, 8, 8, dtype=torch.float16), tolerance=0.02)
def float16() -> nn.Module:
    return convolutional(nn.ReLU()).half()


@awkward("a network in float64", of_shape(3, 8, 8, dtype=torch.float64), tolerance=1e-9)
def float64() -> nn.Module:
    return convolutional(nn.ReLU()).double()


class Casting(nn.Module):
    """The inner network in another type than its input and output."""

    def __init__(self, inner: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.first, self.inner, self.dtype = nn.Linear(7, 7), inner.to(dtype), dtype

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.first(x).to(self.dtype)).to(x.dtype)


@awkward("a part of the network in float64", table, tolerance=None)
def float64_inside() -> nn.Module:
    return Casting(dense(), torch.float64)


@awkward("a part of the network in bfloat16", table, tolerance=None)
def bfloat16_inside() -> nn.Module:
    return Casting(dense(), torch.bfloat16)


@awkward("autocast in the forward pass", tolerance=0.05)
class AutocastInside(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = convolutional(nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=x.dtype == torch.float32):
            return self.inner(x).to(x.dtype)


@awkward("parameters made in inference mode, which autograd cannot save", table, refused={DIFFERENTIATING: "inference mode"})
def inference_mode() -> nn.Module:
    with torch.inference_mode():
        return dense()


@awkward(
    "dense layers in whole numbers of 8 bits, rounded by the range of a batch",
    table,
    refused={ALL: BATCH},
    warning="quantized::linear_dynamic",
)
def dynamic_int8() -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(dense(), {nn.Linear}, dtype=torch.qint8)


@awkward(
    "activations rounded to steps, with the derivative of the identity",
    table,
    refused={RELEVANCE: NO_RULE, "guided": NO_ACTIVATION},
    tolerance=0.05,
)
def fake_quantised() -> nn.Module:
    return dense(lambda z: torch.fake_quantize_per_tensor_affine(z, 0.01, 0, -128, 127))


@awkward("frozen parameters, as of a network that is done", table)
def frozen() -> nn.Module:
    return dense().requires_grad_(False)


@awkward("outputs of ten thousand, and gradients of as much", table)
def large_numbers() -> nn.Module:
    return dense(lambda z: z * 1e4)


@awkward("outputs of a hundred-thousandth, and gradients of as little", table)
def small_numbers() -> nn.Module:
    return dense(lambda z: z * 1e-5)
