"""Maps that can be differentiated in the image: those an attack pursues.

    A(x) = Σ_k t_k(x),    S(x) = h w Σ_c |A_c(x)| / Σ_ij Σ_c |A_cij(x)|

    gradient               t = ∇f(x)
    input_x_gradient       t = x ⊙ ∇f(x)
    integrated_gradients   t_k = w_k (x − b) ⊙ ∇f(b + α_k (x − b)),   b black, (α_k, w_k) Gauss–Legendre
    smooth_grad            t_k = 1/n ∇f(x + ε_k),                     ε_k as in `smooth_grad`, σ = 0.15 of the image's range
    smooth_taylor          t_k = −1/n ε_k ⊙ ∇f(x + ε_k),              ε_k as in `smooth_taylor`, σ = 0.5
    grad_cam               t = U(ReLU(Σ_q mean(∂f/∂B_q) B_q)),        B the last activation with a grid, U bilinear

f the explained output, c channels, h w pixels. S sums to the number of pixels. The noise is drawn for the clean image and stays the
same while the image moves, so that the map is a function of the image. Of the network itself a map is what the method of that name
gives, up to the scale and the number of points; of the softened network it has a second derivative.

The derivative of a function D of S takes two rounds where A has more than one term: ∂D/∂A first, then Σ_k ∂⟨∂D/∂A, t_k⟩/∂x, a
chunk of terms at once. So memory is that of a chunk of rows, however many points there are.

Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from heatproof.edits.soften import Softened
from heatproof.models.model import Model
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.passes.counting import record_rows
from heatproof.passes.forward import checked_scores
from heatproof.passes.gradient import check_differentiable
from heatproof.passes.memory import in_chunks
from heatproof.perturb.draws import Draws
from heatproof.perturb.noises.gaussian import Gaussian
from heatproof.tracing.capture import capture, captured_activation

Of = Literal["gradient", "input_x_gradient", "integrated_gradients", "smooth_grad", "smooth_taylor", "grad_cam"]
NAMES: tuple[str, ...] = get_args(Of)
NOISES: Mapping[str, Gaussian] = {
    "smooth_grad": Gaussian(sigma=0.15, relative_to="image"),
    "smooth_taylor": Gaussian(sigma=0.5, relative_to="absolute"),
}
MANY = ("integrated_gradients", *NOISES)
"""Maps that are made of more than one point."""
Judge = Callable[[Tensor, slice], Tensor]
"""(S `[r, h, w]`, which of the images they are of) → one number a map."""


def salience(attribution: Float[Tensor, "r c h w"]) -> Float[Tensor, "r h w"]:
    """S of A; zero where A is."""
    mass = attribution.abs().sum(1)
    total = mass.sum((1, 2), keepdim=True)
    return mass * (mass[0].numel() / torch.where(total > 0, total, 1))


@dataclass(frozen=True, eq=False)
class DifferentiableMap:
    """A differentiable map of some images, of the network or, with a β, of the softened one.

    images  `[b, c, h, w]` clean, for which noise is drawn.
    of      which map.
    points  terms that it is made of.
    """

    model: Model
    images: Float[Tensor, "b c h w"]
    target: Int[Tensor, " b"]
    draws: Draws
    of: Of
    points: int

    def maps(self, x: Float[Tensor, "b c h w"], beta: float | None = None) -> Float[Tensor, "b h w"]:
        """S at x. Cost: `points` forward and backward rows an image."""
        return salience(self._attribution(x, beta))

    def pull(self, x: Float[Tensor, "b c h w"], judge: Judge, beta: float) -> Float[Tensor, "b c h w"]:
        """∂/∂x of the judged softened map; zero where that does not depend on x.

        Cost: 1 forward and 3 backward rows a point: the second derivative goes back through the forward pass and through the
        first derivative. With more than one point, a forward and a backward row more.
        """
        above = None if self.points == 1 else self._above(x, judge, beta)

        def value(term: Tensor, sample: list[int]) -> Tensor:
            if above is not None:
                return (term * above[sample]).sum()
            return judge(salience(term), slice(sample[0], sample[-1] + 1)).sum()

        def compute(sample: list[int], point: list[int]) -> Tensor:
            z = x[sample].detach().requires_grad_()
            with _twice_differentiable():
                found = value(self._term(z, sample, point, beta, graph=True), sample)
                return _derivative(found, z) if found.requires_grad else torch.zeros_like(z)

        total = torch.zeros_like(x)
        for rows, found in self._stream(x, compute, "second derivative"):
            total.index_add_(0, self._sample(rows), found)
            record_rows(forward=len(rows), backward=3 * len(rows))
        return total

    def _above(self, x: Tensor, judge: Judge, beta: float) -> Tensor:
        attribution = self._attribution(x, beta).requires_grad_()
        with torch.enable_grad():
            return _derivative(judge(salience(attribution), slice(0, len(x))).sum(), attribution)

    def _attribution(self, x: Tensor, beta: float | None) -> Float[Tensor, "b c h w"]:
        def compute(sample: list[int], point: list[int]) -> Tensor:
            with torch.enable_grad():
                return self._term(x[sample].detach().requires_grad_(), sample, point, beta, graph=False).detach()

        total: Tensor | None = None
        for rows, found in self._stream(x, compute, "gradient"):
            total = found.new_zeros(len(x), *found.shape[1:]) if total is None else total
            total.index_add_(0, self._sample(rows), found)
            record_rows(forward=len(rows), backward=len(rows))
        return torch.zeros_like(x) if total is None else total

    def _stream(
        self, x: Tensor, compute: Callable[[list[int], list[int]], Tensor], kind: str
    ) -> Iterator[tuple[range, Float[Tensor, "r c h w"]]]:
        """Rows are images, each with all its points."""
        n = self.points
        return in_chunks(
            self.model, x, len(x) * n, lambda rows: compute([r // n for r in rows], [r % n for r in rows]), f"{kind} of {self.of}"
        )

    def _sample(self, rows: range) -> Tensor:
        return torch.tensor([r // self.points for r in rows], device=self.images.device)

    def _term(self, x: Tensor, sample: list[int], point: list[int], beta: float | None, *, graph: bool) -> Tensor:
        """t_k at x, for each row the k and the image it is of."""

        def gradient(at: Tensor) -> Tensor:
            return _derivative(self._scores(at, sample, beta).sum(), at, graph=graph)

        match self.of:
            case "gradient":
                return gradient(x)
            case "input_x_gradient":
                return x * gradient(x)
            case "integrated_gradients":
                alphas, weights = (v.to(x)[point].view(-1, 1, 1, 1) for v in GaussLegendre(steps=self.points).nodes())
                black = self.model.bounds.like(x)[0]
                return weights * (x - black) * gradient(black + alphas * (x - black))
            case "smooth_grad":
                return gradient(x + self._noise(sample, point)) / self.points
            case "smooth_taylor":
                noise = self._noise(sample, point)
                return -noise * gradient(x + noise) / self.points
            case "grad_cam":
                return self._grad_cam(x, sample, beta, graph)

    def _noise(self, sample: list[int], point: list[int]) -> Tensor:
        return NOISES[self.of](self.images[sample], self.model.bounds, self.draws.rows(sample), point)

    def _grad_cam(self, x: Tensor, sample: list[int], beta: float | None, graph: bool) -> Float[Tensor, "r 1 h w"]:
        with capture(self.model, x, None) as seen:
            scores = self._scores(x, sample, beta)
        site, values = captured_activation(seen, self.model, x)
        weights = site.grid.of(_derivative(scores.sum(), values, graph=graph)).mean((2, 3), keepdim=True)
        maps = (weights * site.grid.of(values)).sum(1, keepdim=True).relu()
        return F.interpolate(maps.to(x.dtype), size=tuple(x.shape[2:]), mode="bilinear", align_corners=False)

    def _scores(self, at: Tensor, sample: list[int], beta: float | None) -> Float[Tensor, " r"]:
        with nullcontext() if beta is None else Softened(self.model.module, beta):
            outputs = self.model.outputs(at.clone())
        explained = checked_scores(self.model, outputs, self.target[sample])
        check_differentiable(self.model, explained)
        return explained


@contextmanager
def _twice_differentiable() -> Iterator[None]:
    """Attention by plain operations: the fused kernels have no second derivative."""
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        yield


def _derivative(value: Tensor, at: Tensor, *, graph: bool = False) -> Tensor:
    (found,) = torch.autograd.grad(value, at, create_graph=graph, retain_graph=graph, allow_unused=True, materialize_grads=True)
    return found
