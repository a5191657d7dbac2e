"""Adaptive noise: for each image, a search for the noise scale σ whose map has the best objective value.

    σ* = argmin_σ J(M_σ(x))        (argmax if higher values of J are better)

M_σ is any method that adds noise of scale σ, and J an objective, which may be any metric of a map. σ is absolute, in model space,
and the search starts from σ_0 = mean|x|. There are two searches:

    published  An iteration goes from σ to |σ + α|, or, if J is worse there, to |σ − α|, whether or not J is better there. An
               iteration fails if J is worse than before; then the step α shrinks to γα. The search ends with the iteration that
               fails after `failures` failed ones in a row, or with the last iteration.
    sweep      J is computed at σ_0 2^k for k = −3 … 1, then at the best σ so far times 2^±½, then times 2^±¼: nine values, all with
               the same random numbers, so that they differ by σ alone.

Each value of the published search has random numbers of its own, and the best of up to 41 noisy values is better than the
same would be with fresh ones. The objective value is therefore reported twice: at the optimum as searched, and computed again with
fresh random numbers.

The attribution holds in `details`: `sigma`, `objective` (as searched), `objective_fresh`, `evaluations`, and the course of the
search, `trace_sigma` and `trace_objective`, NaN after its end.

Cost: the cost of the method and of the objective, for each value of the search and once more.
Source: Goh et al., "Understanding integrated gradients with SmoothTaylor", ICPR 2020, algorithm 1, and the authors' code (α =
0.1, γ = 0.9, 20 iterations, s_max = 3).
Differs from the paper because its σ_0 = Σ|x| / √N is taken for a slip of the pen: the authors' code has Σ|x| / N.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt, PrivateAttr, model_validator
from torch import Tensor

from heatproof.core.records import Direction
from heatproof.core.seeds import Key, derive, seed_of
from heatproof.methods.base import Case, Explanation, Method
from heatproof.methods.objective import Objective
from heatproof.numerics.bounds import Bounds
from heatproof.numerics.wide import wide_type
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.noises.base import Noise

OCTAVES = (-3, -2, -1, 0, 1)
REFINEMENTS = (0.5, 0.25)
"""The octaves around σ_0 that a sweep evaluates, and the fractions of an octave around the best value so far."""
FRESH = "fresh"


class AdaptiveNoise(Method):
    """A method at the noise scale that gives the best objective value for each image.

    method      any method whose `noise` has a `sigma`: by default SmoothTaylor. Its own `sigma` is ignored.
    objective   the objective whose value is optimised, in its own direction: any metric of a map, by default the area under the
                total variation curve.
    search      `published` is algorithm 1 of Goh et al., of up to 1 + 2 × `iterations` values; `sweep` is heatproof's own search
                over nine values, which costs about a quarter.
    iterations  the largest number of iterations of the published search, each of one or two values; 20 as in the authors' code.
    step        the first step α of the published search, in model space; 0.1 as in the authors' code.
    decay       the factor γ of the step after an iteration that failed; 0.9 as in the authors' code.
    failures    the number of failed iterations in a row that the published search survives: s_max = 3 in the authors' code. 4
                gives the variant of the authors' slides, which allows one failure more.
    common      whether all values of the published search use common random numbers, as those of the sweep always do.
    map         the map that is returned: `best` is the map at the optimum as searched, as published; `fresh` is a map at σ* with
                fresh random numbers.

    >>> import torch
    >>> from heatproof.methods import AdaptiveNoise
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="mlp", width=0.02).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> objective = {"name": "total_variation_curve", "scaled": True}
    >>> method = AdaptiveNoise(method={"name": "smooth_taylor", "samples": 4}, objective=objective, search="sweep")
    >>> attribution = method.attribute(model, images, target=3)
    >>> attribution.details["evaluations"].tolist(), attribution.details["sigma"].shape
    ([9.0, 9.0], torch.Size([2]))
    """

    inert: ClassVar[frozenset[str]] = frozenset({"method.noise.sigma", "method.noise.relative_to"})
    zero_because: ClassVar[str] = "the map is zero at the noise that was found"
    cite: ClassVar[str] = "Goh, Lapuschkin, Weber, Samek & Binder, ICPR 2020"

    method: Method = Field(default_factory=partial(Method.from_dict, "smooth_taylor"))
    objective: Objective = Field(default_factory=partial(Objective.from_dict, "total_variation_curve"))
    search: Literal["published", "sweep"] = "published"
    iterations: PositiveInt = 20
    step: PositiveFloat = 0.1
    decay: float = Field(default=0.9, gt=0, le=1)
    failures: PositiveInt = 3
    common: bool = False
    map: Literal["best", "fresh"] = "best"

    @model_validator(mode="after")
    def _has_a_scale(self) -> Self:
        if not hasattr(getattr(self.method, "noise", None), "sigma"):
            raise ValueError(
                f"method: expected one with noise of a scale sigma, got {self.method.name}; use smooth_taylor or smooth_grad"
            )
        return self

    @property
    def stochastic(self) -> bool:
        return True

    @property
    def evaluations(self) -> int:
        """The largest number of objective values that a search computes."""
        return 1 + 2 * self.iterations if self.search == "published" else len(OCTAVES) + 2 * len(REFINEMENTS)

    @property
    def class_discriminative(self) -> bool:
        return self.method.class_discriminative

    def explain(self, case: Case) -> Explanation:
        search = _Search(self, case)
        start = case.images.flatten(1).abs().double().mean(1).tolist()
        if self.search == "published":
            self._published(search, start)
        else:
            self._sweep(search, start)
        fresh, fresh_values = search.evaluate(range(len(case)), [state.sigma for state in search.states], FRESH)
        chosen = fresh if self.map == "fresh" else search.best
        notes = search.notes(chosen.notes or ("",) * len(case))
        return replace(chosen, details=search.details(fresh_values), notes=notes)

    def _published(self, search: "_Search", start: list[float]) -> None:
        search.visit(range(len(start)), start, self._stream(0))
        at = {i: (sigma, search.states[i].value, self.step, 0) for i, sigma in enumerate(start)}
        for number in range(self.iterations):
            above = {i: abs(sigma + step) for i, (sigma, _, step, _) in at.items()}
            values = search.visit(above, above.values(), self._stream(2 * number + 1))
            worse = {i: abs(at[i][0] - at[i][2]) for i, value in values.items() if search.less(at[i][1], value)}
            moved = above | worse
            values |= search.visit(worse, worse.values(), self._stream(2 * number + 2))
            remaining = {}
            for i, (_, before, step, failed) in at.items():
                if not search.less(before, values[i]):
                    remaining[i] = (moved[i], values[i], step, 0)
                elif failed < self.failures:
                    remaining[i] = (moved[i], values[i], step * self.decay, failed + 1)
            at = remaining
            if not at:
                break

    def _stream(self, number: int) -> str:
        """The name of the random numbers of a value."""
        return "0" if self.common else str(number)

    def _sweep(self, search: "_Search", start: list[float]) -> None:
        rows = range(len(start))
        for octave in OCTAVES:
            search.visit(rows, [sigma * 2.0**octave for sigma in start], "0")
        for share in REFINEMENTS:
            around = [state.sigma for state in search.states]
            for sign in (-1, 1):
                search.visit(rows, [sigma * 2.0 ** (sign * share) for sigma in around], "0")

    def cost(self, image_shape: ImageShape) -> PassCount:
        inner, objective, times = self.method.cost(image_shape), self.objective.cost(image_shape), self.evaluations + 1
        return PassCount(times * (inner.forward + objective.forward), times * (inner.backward + objective.backward))


@dataclass
class _State:
    """The search of one image: the values tried and the best of them. Values are signed so that lower is better."""

    sigmas: list[float]
    values: list[float]
    sigma: float = math.nan
    value: float = math.inf


class _Search:
    """The searches of all images of a case, and the explanations at their optima."""

    def __init__(self, method: AdaptiveNoise, case: Case) -> None:
        self.method, self.case = method, case
        self.sign = 1.0 if method.objective.direction == Direction.LOWER else -1.0
        exact = wide_type(case.images.dtype)
        self.rounding = max(64 * torch.finfo(exact).eps, torch.finfo(case.images.dtype).eps)
        self.states = [_State([], []) for _ in range(len(case))]
        expected_sum, error = (case.images.new_full((len(case),), torch.nan, dtype=exact) for _ in range(2))
        self.best = Explanation(
            torch.zeros_like(case.images), expected_sum, error, torch.zeros_like(case.target), ("",) * len(case)
        )

    def visit(self, rows: Iterable[int], sigmas: Iterable[float], stream: str) -> dict[int, float]:
        """Compute the objective at one σ for each of these images, and record it.

        Returns:
            The values by image, signed so that lower is better; infinity where the map has none.
        """
        rows, sigmas = list(rows), list(sigmas)
        if not rows:
            return {}
        explanation, values = self.evaluate(rows, sigmas, stream)
        for row, (i, sigma, value) in enumerate(zip(rows, sigmas, values, strict=True)):
            state = self.states[i]
            state.sigmas.append(sigma)
            state.values.append(value)
            if self.less(value, state.value) or math.isnan(state.sigma):
                state.sigma, state.value = sigma, value
                self._store(i, explanation, row)
        return dict(zip(rows, values, strict=True))

    def less(self, a: float, b: float) -> bool:
        """Whether a is below b by more than rounding: where σ changed no rank, values are equal and rounding must not decide."""
        return a < b and (math.isinf(b) or b - a > self.rounding * max(abs(a), abs(b)))

    def evaluate(self, rows: Iterable[int], sigmas: Iterable[float], stream: str) -> tuple[Explanation, list[float]]:
        """The explanations of these images at these σ, and their values. `stream` names the random numbers."""
        rows = list(rows)
        target = self.case.target[rows]
        draws = self.case.draws.rows(rows).child(f"adaptive noise {stream}", target.tolist())
        scaled = _Scaled.of(self.method.method, dict(zip(draws.keys, sigmas, strict=True)))
        images, seed = self.case.images[rows], seed_of(derive(self.case.seed, "objective", stream))
        method = self.method.method.model_copy(update={"noise": scaled})
        explanation = method.explain(Case(self.case.model, images, target, draws, seed))
        values = self.method.objective.objective_value(self.case.model, images, target, explanation.values, seed=seed)
        return explanation, [math.inf if math.isnan(value) else self.sign * value for value in values.tolist()]

    def _store(self, i: int, explanation: Explanation, row: int) -> None:
        """Store the explanation in one row as the best of image i."""
        self.best.values[i], self.best.expected_sum[i], self.best.error[i] = (
            explanation.values[row],
            explanation.expected_sum[row],
            explanation.error[row],
        )
        if self.best.probes is not None and explanation.probes is not None:
            self.best.probes[i] = explanation.probes[row]
        if self.best.notes is not None and explanation.notes is not None:
            self.best = replace(self.best, notes=(*self.best.notes[:i], explanation.notes[row], *self.best.notes[i + 1 :]))

    def notes(self, notes: tuple[str, ...]) -> tuple[str, ...]:
        """The notes of the explanations, and of the images for which nothing could be searched."""
        lost = "the objective has no value at any σ, so that the first σ was kept"
        return tuple(note or (lost if math.isinf(state.value) else "") for note, state in zip(notes, self.states, strict=True))

    def details(self, fresh: list[float]) -> dict[str, Tensor]:
        """The numbers of the search for the attribution, in the objective's own direction."""

        def column(of: Callable[[_State], float]) -> Tensor:
            return torch.tensor([of(state) for state in self.states], dtype=torch.float64)

        def padded(of: Callable[[_State], list[float]]) -> Tensor:
            rows = torch.full((len(self.states), self.method.evaluations), torch.nan, dtype=torch.float64)
            for row, state in zip(rows, self.states, strict=True):
                row[: len(of(state))] = torch.tensor(of(state), dtype=torch.float64)
            return rows

        return {
            "sigma": column(lambda state: state.sigma),
            "objective": self.sign * column(lambda state: state.value),
            "objective_fresh": self.sign * torch.tensor(fresh, dtype=torch.float64),
            "evaluations": column(lambda state: len(state.values)),
            "trace_sigma": padded(lambda state: state.sigmas),
            "trace_objective": self.sign * padded(lambda state: state.values),
        }


class _Scaled(Noise):
    """Noise with a scale per image, looked up by the key of the image's draws."""

    noise: Noise
    _scales: dict[Key, float] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(cls, method: Method, scales: dict[Key, float]) -> "_Scaled":
        """The noise of the method at σ = 1 in model space, which each image multiplies by its own scale."""
        noise: Noise = method.noise  # type: ignore[attr-defined]  # a validator checks that it has one
        unit = {"sigma": 1.0} | ({"relative_to": "absolute"} if hasattr(noise, "relative_to") else {})
        scaled = cls(noise=noise.model_copy(update=unit))
        scaled._scales.update(scales)
        return scaled

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        scales = torch.tensor([self._scales[key] for key in draws.keys], device=images.device, dtype=wide_type(images.dtype))
        noise = self.noise(images, bounds, draws, index) * scales.view(-1, *[1] * (images.ndim - 1))
        return noise.to(images.dtype)

    def group(self, index: int) -> int:
        return self.noise.group(index)
