"""Adaptive noise: per image, the σ whose map is best by an objective, found by search.

    σ* = argmin_σ J(M_σ(x))        (argmax, if more is better)

M_σ any method that adds noise of scale σ, J an objective: any metric of a map. σ is absolute, in model space, and starts from
σ_0 = mean|x|. Two searches:

    published   From σ go to |σ + α|, or, if J is worse there, to |σ − α|, whether that is better or not. After a step that made J
                worse α shrinks to γα; too many such steps in a row end the search, as does the last iteration.
    sweep       J at σ_0 2^k for k = −3 … 1, then at the best so far times 2^±½, then 2^±¼: nine values, all with the same
                random numbers, so that they differ by σ alone.

Each value of the published search has random numbers of its own, so the smallest of up to 41 is too good to be true. What is said
of J is therefore said twice: at the optimum as searched, and anew with fresh random numbers.

`details` of the attribution: `sigma`, `objective` (as searched), `objective_fresh`, `evaluations`, and the search itself,
`trace_sigma` and `trace_objective`, NaN after its end.

Cost: the method's and the objective's, for each value and once more.
Source: Goh et al., "Understanding integrated gradients with SmoothTaylor", ICPR 2020, algorithm 1, and their code (α = 0.1,
γ = 0.9, 20 iterations, s_max = 3).
Differs from the paper: its σ_0 = Σ|x| / √N is taken for a slip of the pen, as their code has Σ|x| / N. `rule` says how many
failures end a search: the code's s_max, or one more, as the algorithm has it.
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
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.noises.base import Noise

OCTAVES = (-3, -2, -1, 0, 1)
REFINEMENTS = (0.5, 0.25)
"""Octaves around σ_0 that a sweep looks at, and then around the best."""
FRESH = "fresh"


class AdaptiveNoise(Method):
    """A method at the noise level that suits each image.

    method      any method with a `noise` that has a `sigma`; its own σ does not matter.
    objective   what is to be made small or large: a metric of a map.
    search      as published, or a sweep that takes a quarter of the rows.
    rule        failures in a row that end the published search: `failures` (code), or one more (slides).
    iterations  most steps of the published search, each of one or two values.
    step        its first step α.
    decay       by what a step that failed is multiplied, γ.
    failures    s_max.
    common      the same random numbers for all values of the published search, as the sweep has them.
    map         the map at the optimum as searched (best, as published), or one at σ* with fresh random numbers.
    """

    inert: ClassVar[frozenset[str]] = frozenset({"method.noise.sigma", "method.noise.relative_to"})
    cite: ClassVar[str] = "Goh, Lapuschkin, Weber, Samek & Binder, ICPR 2020"

    method: Method = Field(default_factory=partial(Method.from_dict, "smooth_taylor"))
    objective: Objective = Field(default_factory=partial(Objective.from_dict, "total_variation_curve"))
    search: Literal["published", "sweep"] = "published"
    rule: Literal["code", "slides"] = "code"
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
        """Most values of the objective that a search takes."""
        return 1 + 2 * self.iterations if self.search == "published" else len(OCTAVES) + 2 * len(REFINEMENTS)

    def explain(self, case: Case) -> Explanation:
        search = _Search(self, case)
        start = case.images.flatten(1).abs().double().mean(1).tolist()
        if self.search == "published":
            self._published(search, start)
        else:
            self._sweep(search, start)
        fresh, worth = search.evaluate(range(len(case)), [state.sigma for state in search.states], FRESH)
        chosen = fresh if self.map == "fresh" else search.best
        return replace(chosen, details=search.details(worth))

    def _published(self, search: "_Search", start: list[float]) -> None:
        search.visit(range(len(start)), start, self._stream(0))
        at = {i: (sigma, search.states[i].value, self.step, 0) for i, sigma in enumerate(start)}
        most = self.failures + (self.rule == "slides")
        for number in range(self.iterations):
            above = {i: abs(sigma + step) for i, (sigma, _, step, _) in at.items()}
            found = search.visit(above, above.values(), self._stream(2 * number + 1))
            worse = {i: abs(at[i][0] - at[i][2]) for i, value in found.items() if search.less(at[i][1], value)}
            moved = above | worse
            found |= search.visit(worse, worse.values(), self._stream(2 * number + 2))
            following = {}
            for i, (_, before, step, failed) in at.items():
                if not search.less(before, found[i]):
                    following[i] = (moved[i], found[i], step, 0)
                elif failed < most:
                    following[i] = (moved[i], found[i], step * self.decay, failed + 1)
            at = following
            if not at:
                break

    def _stream(self, number: int) -> str:
        """Name of the random numbers of a value."""
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
        one, worth, times = self.method.cost(image_shape), self.objective.cost(image_shape), self.evaluations + 1
        return PassCount(times * (one.forward + worth.forward), times * (one.backward + worth.backward))


@dataclass
class _State:
    """Of one image: what was tried, and the best of it. Values are turned so that less is better."""

    sigmas: list[float]
    values: list[float]
    sigma: float = math.nan
    value: float = math.inf


class _Search:
    """The search of every image of a case: what was tried so far, and the explanations at the optima."""

    def __init__(self, method: AdaptiveNoise, case: Case) -> None:
        self.method, self.case = method, case
        self.sign = 1.0 if method.objective.direction == Direction.LOWER else -1.0
        self.rounding = 64 * torch.finfo(case.images.dtype).eps
        self.states = [_State([], []) for _ in range(len(case))]
        claim, error = (case.images.new_full((len(case),), torch.nan) for _ in range(2))
        self.best = Explanation(torch.zeros_like(case.images), claim, error, torch.zeros_like(case.target), ("",) * len(case))

    def visit(self, rows: Iterable[int], sigmas: Iterable[float], stream: str) -> dict[int, float]:
        """Try a σ for each of these images, and remember it; their values, less is better, infinity where there is none."""
        rows, sigmas = list(rows), list(sigmas)
        if not rows:
            return {}
        explanation, worth = self.evaluate(rows, sigmas, stream)
        for row, (i, sigma, value) in enumerate(zip(rows, sigmas, worth, strict=True)):
            state = self.states[i]
            state.sigmas.append(sigma)
            state.values.append(value)
            if self.less(value, state.value) or math.isnan(state.sigma):
                state.sigma, state.value = sigma, value
                self._keep(i, explanation, row)
        return dict(zip(rows, worth, strict=True))

    def less(self, a: float, b: float) -> bool:
        """Less by more than rounding: values are equal where σ changed no rank, and rounding must not decide then."""
        return a < b and (math.isinf(b) or b - a > self.rounding * max(abs(a), abs(b)))

    def evaluate(self, rows: Iterable[int], sigmas: Iterable[float], stream: str) -> tuple[Explanation, list[float]]:
        """Explanations of these images at these σ, and their values. The stream names the random numbers."""
        rows = list(rows)
        target = self.case.target[rows]
        draws = self.case.draws.rows(rows).child(f"adaptive noise {stream}", target.tolist())
        scaled = _Scaled.of(self.method.method, dict(zip(draws.keys, sigmas, strict=True)))
        images, seed = self.case.images[rows], seed_of(derive(self.case.seed, "objective", stream))
        found = self.method.method.model_copy(update={"noise": scaled}).explain(Case(self.case.model, images, target, draws, seed))
        worth = self.method.objective.worth(self.case.model, images, target, found.values, seed=seed)
        return found, [math.inf if math.isnan(value) else self.sign * value for value in worth.tolist()]

    def _keep(self, i: int, found: Explanation, row: int) -> None:
        self.best.values[i], self.best.claim[i], self.best.error[i] = found.values[row], found.claim[row], found.error[row]
        if self.best.probes is not None and found.probes is not None:
            self.best.probes[i] = found.probes[row]
        if self.best.notes is not None and found.notes is not None:
            self.best = replace(self.best, notes=(*self.best.notes[:i], found.notes[row], *self.best.notes[i + 1 :]))

    def details(self, fresh: list[float]) -> dict[str, Tensor]:
        """What is to be said of the search, in the objective's own direction."""

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
    """Noise whose scale is each image's own, found by the key of its draws."""

    noise: Noise
    _scales: dict[Key, float] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(cls, method: Method, scales: dict[Key, float]) -> "_Scaled":
        """The method's noise at σ = 1 in model space, to be multiplied."""
        noise: Noise = method.noise  # type: ignore[attr-defined]  # it was asked for
        unit = {"sigma": 1.0} | ({"relative_to": "absolute"} if hasattr(noise, "relative_to") else {})
        scaled = cls(noise=noise.model_copy(update=unit))
        scaled._scales.update(scales)
        return scaled

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        scale = images.new_tensor([self._scales[key] for key in draws.keys]).view(-1, *[1] * (images.ndim - 1))
        return self.noise(images, bounds, draws, index) * scale

    def group(self, index: int) -> int:
        return self.noise.group(index)
