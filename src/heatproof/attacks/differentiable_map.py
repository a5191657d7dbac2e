"""The map that an attack pursues, and its derivative with respect to the image.

    A(x) = Σ_k t_k(x),    S(x) = h w Σ_c |A_c(x)| / Σ_ij Σ_c |A_cij(x)|

x the image; t_k the terms that the map A of the attacked method is the sum of (`Method.terms`): for a probe method
t_k = w_k(x) ⊙ ∇f(z_k(x)), with its own probe points z_k and weights w_k; c the channels, h and w the height and width in pixels.
S sums to the number of pixels. The random numbers are those of the clean image and stay the same while the image moves, so that
the map is a function of the image. The derivative is taken of the softened network's map (`edits/soften.py`), since the gradient of
a network of ReLUs is piecewise constant.

The derivative of a function D of S takes two rounds where A has more than one term: first ∂D/∂A, then Σ_k ∂⟨∂D/∂A, t_k⟩/∂x, one
chunk of terms at a time. The memory needed is that of one chunk, however many terms there are.

Cost: a map costs one forward and one backward pass per term; a derivative costs one forward and three backward passes per term, and
another map if there is more than one term.
Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from heatproof.edits.soften import softened
from heatproof.methods.base import Case, MapTerms, Method
from heatproof.models.model import Model
from heatproof.numerics.wide import wide
from heatproof.passes.counting import record_rows
from heatproof.passes.memory import in_chunks
from heatproof.perturb.draws import Draws

Judge = Callable[[Tensor, slice], Tensor]
"""Maps S `[r, h, w]`, and which of the images they belong to → one number for each map."""


def salience(attribution: Float[Tensor, "r c h w"]) -> Float[Tensor, "r h w"]:
    """The share of each pixel in the magnitude of a map, S: it sums to the number of pixels; a map of zeros stays zero."""
    mass = attribution.abs().sum(1)
    total = mass.sum((1, 2), keepdim=True)
    return mass * (mass[0].numel() / torch.where(total > 0, total, 1))


@dataclass(frozen=True, eq=False)
class DifferentiableMap:
    """The map of some images by a method, and its derivative with respect to those images.

    model   the plain network; the softened one is made of it.
    images  `[b, c, h, w]` the clean images, to which the random numbers belong.
    target  `[b]` the class that is explained for each image.
    draws   the random numbers of the clean images.
    method  the method whose map it is.
    beta    β of the softened network, of which derivatives are taken.
    """

    model: Model
    images: Float[Tensor, "b c h w"]
    target: Int[Tensor, " b"]
    draws: Draws
    method: Method
    beta: float

    @cached_property
    def terms(self) -> MapTerms:
        """The terms of which the method's map consists."""
        return self.method.terms()

    @cached_property
    def softened(self) -> Model:
        """The softened network."""
        return softened(self.model, self.beta)

    def maps(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b h w"]:
        """S at x, by the network itself."""
        return salience(self._attribution(self.model, x))

    def softened_maps(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b h w"]:
        """S at x, by the softened network."""
        return salience(self._attribution(self.softened, x))

    def derivative(self, x: Float[Tensor, "b c h w"], judge: Judge) -> Float[Tensor, "b c h w"]:
        """∂/∂x of what the judge says of the softened network's map; zero where that does not depend on x."""
        upstream = None if self.terms.n == 1 else self._upstream(x, judge)

        def value(term: Tensor, sample: list[int]) -> Tensor:
            if upstream is None:
                return judge(salience(wide(term)), slice(sample[0], sample[-1] + 1)).sum()
            return (wide(term) * upstream[sample]).sum()

        def compute(sample: list[int], k: list[int]) -> Tensor:
            z = x[sample].detach().requires_grad_()
            with _twice_differentiable():
                total = value(self._term(self.softened, z, sample, k), sample)
                derivative = _derivative(total, z) if total.requires_grad else torch.zeros_like(z)
            record_rows(forward=0, backward=2 * len(sample))
            return derivative

        total = torch.zeros_like(wide(x))
        for sample, part in self._stream(x, compute, "second derivative"):
            total.index_add_(0, sample, wide(part))
        return total

    def _upstream(self, x: Tensor, judge: Judge) -> Tensor:
        """∂/∂A of what the judge says."""
        attribution = self._attribution(self.softened, x).requires_grad_()
        with torch.enable_grad():
            return _derivative(judge(salience(attribution), slice(0, len(x))).sum(), attribution)

    def _attribution(self, model: Model, x: Tensor) -> Float[Tensor, "b c h w"]:
        def compute(sample: list[int], k: list[int]) -> Tensor:
            return self._term(model, x[sample], sample, k)

        total = torch.zeros_like(wide(x))
        for sample, part in self._stream(x, compute, "gradient"):
            total.index_add_(0, sample, wide(part))
        return total

    def _term(self, model: Model, x: Tensor, sample: list[int], k: list[int]) -> Float[Tensor, "r c h w"]:
        """The k-th term of the map of each sample, where its image has moved to x."""
        clean = Case(model, self.images[sample], self.target[sample], self.draws.rows(sample))
        return self.terms.at(clean, x, k)

    def _stream(
        self, x: Tensor, compute: Callable[[list[int], list[int]], Tensor], kind: str
    ) -> Iterator[tuple[Int[Tensor, " r"], Float[Tensor, "r c h w"]]]:
        """Compute all pairs of image and term, in chunks: the image that each row belongs to, and the rows' results."""
        n = self.terms.n
        chunks = in_chunks(
            self.model,
            x,
            len(x) * n,
            lambda rows: compute([r // n for r in rows], [r % n for r in rows]),
            f"{kind} of {self.method.name}",
        )
        for chunk, part in chunks:
            yield torch.tensor([r // n for r in chunk], device=x.device), part


@contextmanager
def _twice_differentiable() -> Iterator[None]:
    """Attention by plain operations: the fused kernels have no second derivative."""
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        yield


def _derivative(value: Tensor, at: Tensor) -> Tensor:
    (slope,) = torch.autograd.grad(value, at, allow_unused=True, materialize_grads=True)
    return slope
