"""Small networks whose attribution maps are known in closed form, or that hold a trap.

Every weight comes from a seeded generator of its own, so that the networks are the same in any order of tests.
"""

import functools
from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.models import Bounds, Model
from heatproof.passes.network_checks import check_network

SIDE = 8


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Standard normal numbers that belong to the seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def filled(module: nn.Module, seed: int, *, scale: float = 1.0) -> nn.Module:
    """The module with weights of size 1/√fan-in from a generator, and batch-norm statistics that are not trivial."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            fan_in = max(1, p[0].numel()) if p.ndim > 1 else 4
            p.copy_(torch.randn(p.shape, generator=generator) * scale / fan_in**0.5)
        for m in module.modules():
            if isinstance(m, nn.BatchNorm2d) and m.track_running_stats:
                m.weight.copy_(0.5 + torch.rand(m.weight.shape, generator=generator))
                m.running_mean.copy_(torch.randn(m.running_mean.shape, generator=generator) / 4)
                m.running_var.copy_(0.5 + torch.rand(m.running_var.shape, generator=generator))
    return module


class Linear(nn.Module):
    """f_k(x) = w_k·x + k. Gradient w_k everywhere."""

    def __init__(self, shape: tuple[int, ...], classes: int = 3, seed: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(classes, *shape, seed=seed))
        self.bias = nn.Parameter(torch.arange(float(classes)))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.flatten(1).T + self.bias


class Quadratic(nn.Module):
    """f_k(x) = ½ Σ h x² + c_k·x. Gradient h ⊙ x + c_k, Hessian diag(h)."""

    def __init__(self, shape: tuple[int, ...], classes: int = 2, seed: int = 2) -> None:
        super().__init__()
        self.curvature = nn.Parameter(normal(*shape, seed=seed))
        self.slope = nn.Parameter(normal(classes, *shape, seed=seed + 100))

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * (x.square() * self.curvature).flatten(1).sum(1, keepdim=True) + x.flatten(1) @ self.slope.flatten(1).T


class SingleReLU(nn.Module):
    """f(x) = max(0, w·x + b)."""

    def __init__(self, shape: tuple[int, ...], bias: float = 0.3, seed: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(*shape, seed=seed))
        self.bias = nn.Parameter(torch.tensor(bias))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu((x * self.weight).flatten(1).sum(1, keepdim=True) + self.bias)


class AdditiveSines(nn.Module):
    """f_k(x) = Σ_i a_ki sin(b_i x_i). Inputs with a = 0 are dummies; inputs with equal a and b are interchangeable."""

    def __init__(self, amplitude: Tensor, frequency: Tensor) -> None:
        super().__init__()
        self.amplitude, self.frequency = nn.Parameter(amplitude), nn.Parameter(frequency)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.frequency).sin().flatten(1) @ self.amplitude.flatten(1).T


class Sum(nn.Module):
    """a f + b g of two networks."""

    def __init__(self, f: nn.Module, g: nn.Module, a: float, b: float) -> None:
        super().__init__()
        self.f, self.g, self.a, self.b = f, g, a, b

    def forward(self, x: Tensor) -> Tensor:
        return self.a * self.f(x) + self.b * self.g(x)


class Raised(nn.Module):
    """A network plus a constant: no class is preferred to another, and scores to which others are relative are positive."""

    def __init__(self, network: nn.Module, by: float) -> None:
        super().__init__()
        self.network, self.by = network, by

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x) + self.by


class Residual(nn.Module):
    """Convolution, batch norm, ReLU6 and a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.block, self.block_norm = nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self.norm(self.stem(x)))
        x = x + F.relu6(self.block_norm(self.block(x)))
        return self.head(self.drop(x.mean((2, 3))))


class Packed(nn.Module):
    """A network whose forward returns its logits packed as many libraries do."""

    def __init__(self, inner: nn.Module, kind: str) -> None:
        super().__init__()
        self.inner, self.kind = inner, kind

    def forward(self, x: Tensor) -> Any:
        logits = self.inner(x)
        packed = {
            "tuple": (None, logits, logits.sum()),
            "list": [logits],
            "mapping with logits": {"loss": logits.sum(), "logits": logits},
            "mapping": {"scores": logits},
            "object": SimpleNamespace(logits=logits),
        }
        return packed[self.kind]


class Planted(nn.Module):
    """Depends on nothing but one square of pixels: f_0 = 3 + their mean, f_1 = 0."""

    def __init__(self, top: int = 4, left: int = 8, side: int = 6) -> None:
        super().__init__()
        self.rows, self.columns = slice(top, top + side), slice(left, left + side)
        self.offset = nn.Parameter(torch.tensor(3.0))

    def forward(self, x: Tensor) -> Tensor:
        seen = x[:, :, self.rows, self.columns].mean((1, 2, 3))
        return torch.stack([self.offset + seen, torch.zeros_like(seen)], dim=1)

    def oracle(self, images: Tensor) -> Tensor:
        """1 on the square, 0 elsewhere."""
        truth = torch.zeros_like(images)
        truth[:, :, self.rows, self.columns] = 1
        return truth

    def images(self, n: int, side: int) -> Tensor:
        """Bright on the square and dark elsewhere, so that any replacement lowers f_0."""
        return 2 * self.oracle(torch.zeros(n, 3, side, side)) - 0.5 + images(n, side=side) / 10


class Failing(nn.Module):
    """Works for some calls, then raises; without a number it works until `left` is set."""

    def __init__(self, inner: nn.Module, error: BaseException, after: int = -1) -> None:
        super().__init__()
        self.inner, self.error, self.left = inner, error, after

    def forward(self, x: Tensor) -> Tensor:
        if self.left == 0:
            raise self.error
        self.left -= 1
        return self.inner(x)


class Rows:
    """Counts of rows, which copies share."""

    def __init__(self) -> None:
        self.forward, self.backward = 0, 0

    def __deepcopy__(self, memo: object) -> "Rows":
        return self

    def back(self, grad: Tensor) -> None:
        self.backward += len(grad)


class Counting(nn.Module):
    """Counts the rows that pass through it or its copies, and the rows a gradient comes back for, wherever it ends, by itself."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.rows = inner, Rows()

    @property
    def forward_rows(self) -> int:
        return self.rows.forward

    @property
    def backward_rows(self) -> int:
        return self.rows.backward

    def forward(self, x: Tensor) -> Tensor:
        self.rows.forward += len(x)
        out = self.inner(x)
        if out.requires_grad:
            out.register_hook(self.rows.back)
        return out


def checked(model: Model, images: Tensor) -> Model:
    """The model after the check that is made once for images of a kind; if its network counts, from zero."""
    check_network(model, images, gradients=True)
    if isinstance(model.module, Counting):
        model.module.rows.forward = model.module.rows.backward = 0
    return model


class Pooled(nn.Module):
    """The inner network behind max pooling: where a gradient goes depends on the image, whatever a rule does at the activations."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(F.max_pool2d(x, 2))


class Deaf(nn.Module):
    """The inner network's outputs, but for the last one, which is 3 whatever the input."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        out = self.inner(x)
        return torch.cat([out[:, :-1], torch.full_like(out[:, -1:], 3.0)], dim=1)


class Detached(nn.Module):
    """Cuts the graph."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).detach()


def bias_free_conv() -> nn.Module:
    """ReLU convolutions without a bias: f(c x) = c f(x) for c ≥ 0."""
    return filled(
        nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(6, 6, 3, stride=2, bias=False),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(54, 4, bias=False),
        ),
        seed=11,
    )


def smooth_conv() -> nn.Module:
    """A convolution with SiLU and biases."""
    return filled(
        nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.SiLU(), nn.Flatten(), nn.Linear(6 * SIDE**2, 4)), seed=12, scale=2
    )


def residual() -> nn.Module:
    """Batch norm, ReLU6, residual."""
    return filled(Residual(), seed=13, scale=2)


def relu_first(*, inplace: bool) -> nn.Module:
    """The first layer works on the caller's memory when `inplace`."""
    return filled(nn.Sequential(nn.ReLU(inplace=inplace), nn.Conv2d(3, 6, 3), nn.SiLU(), nn.Flatten(), nn.Linear(216, 4)), seed=14)


def normalised_by_the_batch() -> nn.Module:
    """An image's outputs depend on the other images of its batch, in evaluation mode too."""
    norm = nn.BatchNorm2d(6, track_running_stats=False)
    return filled(
        nn.Sequential(nn.Conv2d(3, 6, 3), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)), seed=17
    )


class Dropping(nn.Module):
    """Functional dropout, which is on unless it is told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 6, 3), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.dropout(F.relu(self.stem(x)).mean((2, 3))))


IMPURE = {
    "batch statistics": (normalised_by_the_batch, r"do not depend on the other images of its batch.* first in 1 \(BatchNorm2d\)"),
    "dropout left on": (lambda: filled(Dropping(), seed=18), "same outputs whenever an image passes.* first in Dropping"),
}
"""Networks that are no function of each image by itself, and how they are refused."""


def layered(network: nn.Module) -> nn.Module:
    """The same function, with a layer that has a grid for methods that look at one."""
    return nn.Sequential(OrderedDict(grid=nn.Identity(), network=network))


def tabular_mlp() -> nn.Module:
    """Seven numbers in, three classes out."""
    return filled(nn.Sequential(nn.Linear(7, 16), nn.Tanh(), nn.Linear(16, 3)), seed=15, scale=2)


def temporal_conv() -> nn.Module:
    """Two channels over time in, three classes out."""
    layers = [nn.Conv1d(2, 6, 3), nn.SiLU(), nn.AdaptiveAvgPool1d(3), nn.Flatten(), nn.Linear(18, 3)]
    return filled(nn.Sequential(*layers), seed=16, scale=2)


def planted() -> Planted:
    """The network with known truth, for images of 24 × 24 pixels."""
    return Planted()


def model(
    module: nn.Module, *, channels: int = 3, dtype: torch.dtype = torch.float32, chunk: int | None = 16, **fields: Any
) -> Model:
    """A model with bounds that differ between channels (for three) or are [−1, 1]."""
    lower = torch.tensor([-1.5, -2.0, -1.0]) if channels == 3 else torch.full((channels,), -1.0)
    upper = torch.tensor([2.0, 1.5, 2.5]) if channels == 3 else torch.full((channels,), 1.0)
    return Model(module.to(dtype), Bounds(lower, upper), chunk=chunk, **fields)


def images(n: int = 8, channels: int = 3, side: int = SIDE, *, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Images, the same whatever their number."""
    return torch.stack([normal(channels, side, side, seed=1000 * seed + i) for i in range(n)]).to(dtype)


def table(n: int = 8, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Rows of seven numbers."""
    return torch.stack([normal(7, seed=500 + i) for i in range(n)]).to(dtype)


def signals(n: int = 8, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Signals of two channels at nine times."""
    return torch.stack([normal(2, 9, seed=600 + i) for i in range(n)]).to(dtype)


NETWORKS = {
    "linear": lambda: Linear((3, SIDE, SIDE)),
    "quadratic": lambda: Quadratic((3, SIDE, SIDE)),
    "bias-free relu": bias_free_conv,
    "smooth": smooth_conv,
    "residual": residual,
    "relu in place": lambda: relu_first(inplace=True),
}
"""Image networks every law about images may run on."""


@functools.cache
def known(network: str = "residual", dtype: torch.dtype = torch.float32) -> Model:
    """The model of a network, the same at each call, for tests that leave it as it was: what the library learns of a network when
    it first meets it takes longer than most maps.
    """
    return model(NETWORKS[network](), dtype=dtype)
