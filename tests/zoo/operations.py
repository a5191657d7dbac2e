"""Operations that rules rarely know: choices, sums by index, samples at places, spectra, and derivatives that do not exist."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.zoo.network import (
    CUT,
    DIFFERENTIATING,
    MAPS,
    NO_ACTIVATION,
    NO_LAYER_AT_THE_INPUT,
    NO_OWN_WEIGHTS,
    NO_PLACES,
    NO_RULE,
    RELEVANCE,
    Step,
    awkward,
    convolutional,
    dense,
    flattened,
    head,
    of_shape,
    pictures_with_black,
    positive_pictures,
    signals,
    table,
)

SOURCES, TARGETS = torch.tensor([0, 1, 2, 3, 4, 4]), torch.tensor([1, 2, 3, 4, 0, 2])
nodes = of_shape(4, 5)


@awkward("a graph network: messages are added at the nodes by index_add", nodes, refused={"deep_taylor": NO_LAYER_AT_THE_INPUT})
class IndexAdd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.message, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.message(x.transpose(1, 2)).relu()
        return self.last(torch.zeros_like(h).index_add(1, TARGETS, h[:, SOURCES]).mean(1))


@awkward("a graph network: messages are added at the nodes by scatter_add", nodes, refused={"deep_taylor": NO_LAYER_AT_THE_INPUT})
class ScatterAdd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.message, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.message(x.transpose(1, 2)).relu()
        at = TARGETS[None, :, None].expand(len(x), -1, 8)
        return self.last(torch.zeros_like(h).scatter_add(1, at, h[:, SOURCES]).mean(1))


@awkward("the largest over an axis, which also returns where it is", signals)
def maximum_over_time() -> nn.Module:
    return nn.Sequential(nn.Conv1d(2, 6, 3), nn.Tanh(), Step(lambda h: h.max(2).values), nn.Linear(6, 3))


@awkward("the mean of the three largest", signals)
def top_three() -> nn.Module:
    return nn.Sequential(nn.Conv1d(2, 6, 3), nn.Tanh(), Step(lambda h: h.topk(3, 2).values.mean(2)), nn.Linear(6, 3))


@awkward("a sum of sorted values with weights", signals)
def sorted_values() -> nn.Module:
    return nn.Sequential(nn.Conv1d(2, 6, 3), nn.Tanh(), Step(lambda h: h.sort(2).values[:, :, ::2].mean(2)), nn.Linear(6, 3))


@awkward("the logarithm of a sum of exponentials over places", refused={RELEVANCE: NO_RULE})
def log_sum_exp() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), Step(lambda h: h.logsumexp((2, 3))), nn.Linear(6, 3))


@awkward(
    "a spatial transformer: the network says where it samples its input",
    refused={
        RELEVANCE: NO_RULE,
        "guided": NO_ACTIVATION,
        "DeepLIFT": "got places that do",
    },
)
class SpatialTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.where, self.inner = nn.Linear(192, 6), convolutional(nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        theta = torch.eye(2, 3) + 0.05 * self.where(x.flatten(1)).tanh().view(-1, 2, 3)
        return self.inner(F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False))


@awkward("a dense layer written as einsum", table, refused={"patterns": NO_OWN_WEIGHTS})
class Einsum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Parameter(torch.randn(7, 8) / 3), nn.Parameter(torch.randn(8, 3) / 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bh,ho->bo", torch.einsum("bi,ih->bh", x, self.first).relu(), self.second)


@awkward("the magnitude of a Fourier transform", signals, refused={RELEVANCE: NO_RULE, MAPS: NO_PLACES})
def spectrum() -> nn.Module:
    return nn.Sequential(Step(lambda x: torch.fft.rfft(x).abs().flatten(1)), nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 3))


@awkward("complex numbers in the middle", table, refused={RELEVANCE: NO_RULE, "guided": NO_ACTIVATION})
class Complex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.real, self.imaginary, self.last = nn.Linear(7, 5), nn.Linear(7, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        z = torch.complex(self.real(x), self.imaginary(x))
        return self.last((z * z.conj()).real)


@awkward("an embedding of the input rounded to whole numbers", table, refused={DIFFERENTIATING: CUT, RELEVANCE: NO_RULE})
class Quantised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.last = nn.Embedding(32, 4), nn.Linear(28, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.embedding((x * 3).round().long() + 16).flatten(1))


@awkward(
    "rounding, of which the derivative is zero everywhere",
    refused={MAPS: NO_PLACES, RELEVANCE: NO_RULE, "guided": NO_ACTIVATION},
    zero=("gradients",),
)
def rounded() -> nn.Module:
    return flattened(lambda h: h.mul(4).round())


@awkward("the distance to zero, at zero too", pictures_with_black, refused={MAPS: NO_PLACES})
def norm() -> nn.Module:
    return Step(lambda x: torch.stack([x.flatten(1).norm(dim=1), x[:, 0].flatten(1).norm(dim=1)], 1))


@awkward("a square root at zero, where its slope is infinite", pictures_with_black, tolerance=None)
def square_root() -> nn.Module:
    return nn.Sequential(Step(lambda x: x.abs().sqrt()), nn.Conv2d(3, 6, 3), nn.Tanh(), head())


@awkward("a logarithm of positive inputs, from a baseline where it is not a number", positive_pictures)
def logarithm() -> nn.Module:
    return nn.Sequential(Step(lambda x: x.log()), nn.Conv2d(3, 6, 3), nn.Tanh(), head())


@awkward("the standard deviation, of a constant image too", pictures_with_black, refused={MAPS: NO_PLACES})
def standard_deviation() -> nn.Module:
    return nn.Sequential(Step(lambda x: x.flatten(2).std(2)), nn.Linear(3, 3))


@awkward("sums along an axis", signals, refused={RELEVANCE: NO_RULE, MAPS: NO_PLACES}, affine=True)
def running_sum() -> nn.Module:
    return nn.Sequential(Step(lambda x: x.cumsum(2).flatten(1)), nn.Linear(18, 3))


@awkward("distances to prototypes", table, refused={RELEVANCE: NO_RULE})
class Prototypes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.prototypes, self.last = nn.Parameter(torch.randn(5, 7)), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.cdist(x, self.prototypes))


@awkward("the product of two branches", table)
class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.value, self.gate, self.last = nn.Linear(7, 8), nn.Linear(7, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.value(x) * self.gate(x).sigmoid())


@awkward("a quotient of two branches", table)
def quotient() -> nn.Module:
    return dense(lambda z: z / (1 + z.square().sum(1, keepdim=True)))


@awkward("channels weighted by what they hold, as in squeeze and excitation")
class Excitation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.weigh, self.last = nn.Conv2d(3, 6, 3), nn.Sequential(head(6, 6), nn.Sigmoid()), head()

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x).relu()
        return self.last(h * self.weigh(h)[:, :, None, None])


@awkward("an activation turned into a tensor again by `torch.as_tensor`", table)
def turned_into_a_tensor() -> nn.Module:
    return dense(torch.as_tensor)
