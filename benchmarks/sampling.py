"""Which ways of sampling lower the error of a map per row? `python -m benchmarks.sampling` writes sampling.json.

A scheme is judged by its variance per row over that of independent draws, on the same photographs: below 1 it needs that share of
the rows for the same error. Ratios are geometric means over photographs with a bootstrap interval. The tables of
`docs/project/measurements/sampling.md` are made from the file.

    method               row t_k                                  noise
    SmoothGrad           ∇f(x + ε)                                σ of the image's range
    SmoothTaylor         −ε ⊙ ∇f(x + ε)                           σ absolute
    expected gradients   (x − b) ⊙ ∇f(b + α (x − b))              b uniform, α stratified

Every map is looked at twice: by its values, and as regions of 15 × 15 pixels read it, channels summed and averaged.
About a quarter of an hour on one thread; `--budget smoke` takes less than a minute and writes to runs/. With glibc, the
environment MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_MMAP_MAX_=0 halves the time.
"""

import argparse
import json
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor

from benchmarks.variance import (
    allocated_variance,
    alone_variance,
    controlled_variance,
    difference_variance,
    limit_product,
    orthogonal,
    per_row_variance,
    strata_variances,
    stratified_variance,
)
from heatproof.core.records import Reduction
from heatproof.data import load_images
from heatproof.methods import ExpectedGradients
from heatproof.metrics import PerturbationCurve
from heatproof.models import Model
from heatproof.models.loaders import load_model
from heatproof.numerics.reduce import reduce
from heatproof.passes.acceleration import accelerate
from heatproof.passes.counting import count_passes
from heatproof.passes.gradient import gradient
from heatproof.passes.inputs import resolve_target
from heatproof.passes.memory import in_chunks
from heatproof.perturb.draws import Draws
from heatproof.perturb.noises import Gaussian
from heatproof.stats import mean_interval, resampled_means, resampling_weights

RESULTS = Path(__file__).parent / "sampling.json"
NETWORKS = ("efficientnet_lite0", "squeezenet1_1")
SIDES = (1, 5, 15)
REGION = 15
STRATA = (1, 2, 5, 10)


@dataclass(frozen=True)
class Budget:
    """How much is computed for each photograph.

    rows       independent rows a setting.
    partners   rows of a scheme that is compared with as many of them.
    framed     rows of orthogonal noise, in groups of `frame`.
    lines      rows of expected gradients for each number of strata.
    learned    rows of a map at adaptive positions, and how many such maps there are.
    maps       maps whose AUPC is compared, of `map_rows` rows, with `seeds` seeds of the metric and `candidates` colours a step.
    """

    photographs: int = 8
    rows: int = 80
    partners: int = 40
    framed: int = 24
    frame: int = 8
    lines: int = 80
    learned: tuple[tuple[int, int], ...] = ((50, 2), (200, 2))
    maps: int = 5
    map_rows: int = 16
    seeds: int = 2
    candidates: int = 2


BUDGETS = {
    "full": Budget(),
    "smoke": Budget(
        photographs=2,
        rows=16,
        partners=8,
        framed=8,
        frame=4,
        lines=20,
        learned=((20, 2),),
        maps=2,
        map_rows=4,
        seeds=2,
        candidates=1,
    ),
}


@dataclass(frozen=True)
class Setting:
    """A method and its σ."""

    method: Literal["SmoothGrad", "SmoothTaylor"]
    sigma: float

    @property
    def label(self) -> str:
        """`SmoothGrad σ .15`."""
        return f"{self.method} σ {self.sigma:g}".replace("0.", ".")

    def scale(self, image: Tensor) -> float:
        """Standard deviation of the noise: a share of the image's range, or absolute, as each was published."""
        return self.sigma * (float(image.max() - image.min()) if self.method == "SmoothGrad" else 1.0)

    def rows(self, noise: Tensor, gradients: Tensor) -> Tensor:
        """Rows whose mean is the map."""
        return gradients if self.method == "SmoothGrad" else -noise * gradients


SETTINGS = (
    Setting("SmoothGrad", 0.05),
    Setting("SmoothGrad", 0.1),
    Setting("SmoothGrad", 0.15),
    Setting("SmoothTaylor", 0.1),
    Setting("SmoothTaylor", 0.5),
)
PAIRS = ((SETTINGS[1], SETTINGS[2]), (SETTINGS[0], SETTINGS[2]), (SETTINGS[3], SETTINGS[4]))
SCORED = ((SETTINGS[1], SETTINGS[2]), (SETTINGS[2], SETTINGS[4]))
"""Pairs of maps whose difference is taken; of those scored, the second is between methods."""


@dataclass(frozen=True, order=True)
class Key:
    """What a number says: the answer to which question, for which setting, scheme and reading of the map."""

    question: str
    network: str
    setting: str
    scheme: str
    reading: str


Found = tuple[Key, float | tuple[float, float]]
"""A number of one photograph; two where only their sums over photographs make a ratio."""


@dataclass(frozen=True)
class Photograph:
    """One image of a network, and its random numbers."""

    model: Model
    name: str
    image: Tensor
    target: Tensor
    draws: Draws

    def noise(self, rows: range) -> Tensor:
        """Unit Gaussian draws, the same for every method and σ."""
        unit = Gaussian(sigma=1.0, relative_to="absolute")
        return unit(self.image.expand(len(rows), -1, -1, -1), self.model.bounds, self.draws.rows([0] * len(rows)), list(rows))

    def gradients(self, noise: Tensor) -> Tensor:
        """∇f at the image with noise, row by row."""
        return self._rows(len(noise), lambda part: self._gradient(self.image + noise[part.start : part.stop]))

    def line_rows(self, n: int, strata: int) -> Tensor:
        """Rows of expected gradients, `[baselines, strata, …]`."""
        method = ExpectedGradients(baselines=n // strata, strata=strata)

        def weighted(part: range) -> Tensor:
            images = self.image.expand(len(part), -1, -1, -1)
            probe = method.probe(self.model, images, self.draws.rows([0] * len(part)), part)
            return self._gradient(probe.at) * probe.weight * n

        return grouped(self._rows(n, weighted), strata)

    def _rows(self, n: int, compute: Callable[[range], Tensor]) -> Tensor:
        return torch.cat([found for _, found in in_chunks(self.model, self.image, n, compute, "gradient")])

    def aupc(self, maps: Tensor, seed: int, candidates: int) -> Tensor:
        """AUPC of each map."""
        metric = PerturbationCurve(draws=candidates)
        images = self.image.expand(len(maps), -1, -1, -1)
        return metric.score(self.model, images, self.target.expand(len(maps)), maps, seed=seed).values

    def key(self, question: str, setting: str, scheme: str, reading: str = "values") -> Key:
        return Key(question, self.name, setting, scheme, reading)

    def _gradient(self, at: Tensor) -> Tensor:
        return gradient(self.model, at, self.target.expand(len(at)))[0]


def read(rows: Tensor, side: int) -> Tensor:
    """Signed channel sums, averaged over squares of `side` pixels."""
    return F.avg_pool2d(reduce(rows, Reduction.SUM), side)


def grouped(rows: Tensor, size: int) -> Tensor:
    """Consecutive rows in groups `[n, size, …]`."""
    return rows.reshape(-1, size, *rows.shape[1:])


READINGS: dict[str, Callable[[Tensor], Tensor]] = {"values": lambda rows: rows, "15 px": lambda rows: read(rows, REGION)}


def noises(photograph: Photograph, budget: Budget) -> Iterator[Found]:
    """SmoothGrad and SmoothTaylor."""
    unit = photograph.noise(range(budget.rows))
    clean = photograph.gradients(torch.zeros_like(unit[:1]))
    rows: dict[Setting, Tensor] = {}
    for setting in SETTINGS:
        noise = unit * setting.scale(photograph.image)
        rows[setting] = setting.rows(noise, photograph.gradients(noise))
        yield from reliabilities(photograph, setting.label, rows[setting])
        if setting.sigma == 0.1 and setting.method == "SmoothGrad":
            continue
        yield from other_noises(photograph, setting, noise, rows[setting], budget)
        yield from controls(photograph, setting, noise, rows[setting], clean)
    yield from common_maps(photograph, rows)
    yield from common_scores(photograph, rows, budget)


def other_noises(photograph: Photograph, setting: Setting, noise: Tensor, rows: Tensor, budget: Budget) -> Iterator[Found]:
    """Antithetic pairs, orthogonal groups and Rademacher signs."""

    def rows_at(noise: Tensor) -> Tensor:
        return setting.rows(noise, photograph.gradients(noise))

    n, framed = budget.partners, budget.framed
    mirrored = rows_at(-noise[:n])
    frames = rows_at(orthogonal(noise[:framed], budget.frame))
    signs = rows_at(noise[:n].sign() * setting.scale(photograph.image))
    for reading, view in READINGS.items():
        own = view(rows)
        pairs = torch.stack([own[:n], view(mirrored)], 1)
        frame, plain = (per_row_variance(grouped(rows, budget.frame)) for rows in (view(frames), own[:framed]))
        sign, gap = view(signs), view(signs) - own[:n]
        yield photograph.key("schemes", setting.label, "antithetic pairs", reading), per_row_variance(pairs) / alone_variance(pairs)
        yield photograph.key("schemes", setting.label, "orthogonal groups", reading), frame / plain
        yield (
            photograph.key("schemes", setting.label, "Rademacher", reading),
            per_row_variance(sign[:, None]) / per_row_variance(own[:n, None]),
        )
        yield (
            photograph.key("other limit", setting.label, "Rademacher", reading),
            (limit_product(gap, gap), limit_product(own, own)),
        )


def controls(photograph: Photograph, setting: Setting, noise: Tensor, rows: Tensor, clean: Tensor) -> Iterator[Found]:
    """Controls of mean zero that cost no rows: −ε ⊙ ∇f(x) for SmoothTaylor, ε for SmoothGrad."""
    control = -noise * clean if setting.method == "SmoothTaylor" else noise
    for reading, view in READINGS.items():
        own, seen = view(rows), view(control)
        for scheme, per_value in (("control, one coefficient", False), ("control, one per value", True)):
            ratio = controlled_variance(own, seen, per_value) / per_row_variance(own[:, None])
            yield photograph.key("schemes", setting.label, scheme, reading), ratio


def lines(photograph: Photograph, budget: Budget) -> Iterator[Found]:
    """Stratified positions: the baseline shared by the strata or drawn for each, and rows given to strata as they need them."""
    found = {strata: photograph.line_rows(budget.lines, strata) for strata in STRATA}
    for reading, view in READINGS.items():
        for strata in STRATA[1:]:
            groups = grouped(view(found[strata].flatten(0, 1)), strata)
            base = alone_variance(groups)
            ratios = {"one baseline": per_row_variance(groups), "a baseline each": stratified_variance(groups)}
            if len(groups) > 3:
                ratios["a baseline each, allocated"] = allocated_variance(groups)
            for sharing, variance in ratios.items():
                yield photograph.key("strata", f"{strata} strata", sharing, reading), variance / base
        spread = strata_variances(groups)
        for i, value in enumerate((spread / spread.mean()).tolist()):
            yield photograph.key("profile", f"α in {i / strata:g} … {(i + 1) / strata:g}", "share of the variance", reading), value
    yield from reliabilities(photograph, "expected gradients, 1 stratum", found[1].flatten(0, 1))


def adaptive(photograph: Photograph, budget: Budget) -> Iterator[Found]:
    """Whole maps at adaptive positions, the rows before it has learned included, against rows drawn alone."""
    rows = photograph.line_rows(budget.lines, 1)[:, 0]
    for length, repeats in budget.learned:
        method = ExpectedGradients(baselines=length // 2, strata=2, positions="adaptive")
        ask = (photograph.model, photograph.image, photograph.target)
        maps = torch.cat([method.attribute(*ask, seed=seed).values for seed in range(repeats)])
        for reading, view in READINGS.items():
            ratio = length * per_row_variance(view(maps)[:, None]) / per_row_variance(view(rows)[:, None])
            yield photograph.key("adaptive", f"{length} samples, 2 strata", "adaptive positions", reading), ratio


def reliabilities(photograph: Photograph, label: str, rows: Tensor) -> Iterator[Found]:
    """Signal variance over space against sampling variance of one row, at each side; and two halves as the AUPC reads them."""
    for side in SIDES:
        seen = read(rows, side)
        seen = seen - seen.mean((2, 3), keepdim=True)
        signal, sampling = limit_product(seen, seen), per_row_variance(seen[:, None])
        yield photograph.key("reliability", label, "signal of one sample", f"{side} px"), signal / sampling
        yield photograph.key("reliability", label, "at 50 samples", f"{side} px"), signal / (signal + sampling / 50)
    halves = torch.stack([reduce(rows[half::2].mean(0, keepdim=True), Reduction.SUM) for half in (0, 1)])[:, 0]
    for scheme, seen in (("signed", halves), ("absolute", halves.abs())):
        correlation = torch.corrcoef(F.avg_pool2d(seen, REGION).flatten(1))[0, 1]
        yield photograph.key("halves", label, scheme, "15 px"), float(correlation)


def common_maps(photograph: Photograph, rows: dict[Setting, Tensor]) -> Iterator[Found]:
    """Variance of the difference of two maps from the same draws over that from different draws."""
    for a, b in PAIRS:
        for reading, view in READINGS.items():
            first, second = view(rows[a]), view(rows[b])
            apart = per_row_variance(first[:, None]) + per_row_variance(second[:, None])
            ratio = per_row_variance((first - second)[:, None]) / apart
            yield photograph.key("common draws, maps", f"{a.label} − {b.label}", "same noise", reading), ratio


def common_scores(photograph: Photograph, rows: dict[Setting, Tensor], budget: Budget) -> Iterator[Found]:
    """Variance of the difference of two AUPC, with the maps' noise, the metric's colours, both or none shared."""
    scores = {}
    for setting in {setting for pair in SCORED for setting in pair}:
        maps = grouped(rows[setting][: budget.maps * budget.map_rows], budget.map_rows).mean(1)
        found = [photograph.aupc(maps, seed, budget.candidates) for seed in range(budget.seeds)]
        scores[setting] = torch.stack(found, 1).double()
    shares = {"same noise": (True, False), "same colours": (False, True), "same noise and colours": (True, True)}
    for a, b in SCORED:
        apart = difference_variance(scores[a], scores[b], same_map=False, same_seed=False)
        for scheme, (same_map, same_seed) in shares.items():
            shared = difference_variance(scores[a], scores[b], same_map=same_map, same_seed=same_seed)
            yield photograph.key("common draws, AUPC", f"{a.label} − {b.label}", scheme, "AUPC"), (shared, apart)


PARTS: dict[str, Callable[[Photograph, Budget], Iterator[Found]]] = {"noises": noises, "lines": lines, "adaptive": adaptive}

# Over photographs ─────────────────────────────────────────────────────────────────────────────────

SUMMARY = {
    "schemes": "geometric mean",
    "other limit": "ratio of sums",
    "strata": "geometric mean",
    "adaptive": "geometric mean",
    "profile": "mean",
    "reliability": "mean",
    "halves": "mean",
    "common draws, maps": "geometric mean",
    "common draws, AUPC": "ratio of sums",
}


def summary(kind: str, values: list[Any]) -> dict[str, float]:
    """Estimate and 95 % interval over photographs."""
    found = np.asarray(values, dtype=np.float64)
    if kind == "ratio of sums":
        weights = resampling_weights(len(found), 9_999, np.random.default_rng(0))
        ratios = resampled_means(found[:, 0], weights) / resampled_means(found[:, 1], weights)
        low, high = np.quantile(ratios, (0.025, 0.975))
        return {"value": float(found[:, 0].sum() / found[:, 1].sum()), "low": float(low), "high": float(high)}
    if kind == "geometric mean":
        found = np.log(np.where(found > 0, found, np.nan))
    interval = mean_interval(found)
    ends = np.array([interval.mean, interval.low, interval.high], dtype=np.float64)
    value, low, high = np.exp(ends) if kind == "geometric mean" else ends
    return {"value": float(value), "low": float(low), "high": float(high)}


def networks(budget: Budget) -> Iterator[list[Photograph]]:
    """The photographs, for each network under its fastest exact plan."""
    for name in NETWORKS:
        model = load_model(name)
        if model.preprocessing is None:
            raise ValueError(f"{name}: expected a network that says how to preprocess images")
        images = load_images("photos", model.preprocessing, count=budget.photographs)
        model, _ = accelerate(model, images, "exact")
        target, draws = resolve_target(model, images, None), Draws.for_images(0, images)
        yield [Photograph(model, name, images[i : i + 1], target[i : i + 1], draws.rows([i])) for i in range(budget.photographs)]


def main() -> None:
    """Run the study and write it."""
    parser = argparse.ArgumentParser(description="Which ways of sampling lower the error of a map per row?")
    parser.add_argument("--budget", choices=list(BUDGETS), default="full")
    parser.add_argument("--out", type=Path, help="default: benchmarks/sampling.json; smoke: runs/sampling.json")
    parser.add_argument("--only", choices=list(PARTS), help="renew one part of a file")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    budget, console, started = BUDGETS[given.budget], Console(), time.perf_counter()
    out: Path = given.out or (RESULTS if given.budget == "full" else Path("runs/sampling.json"))
    found: dict[Key, list[Any]] = defaultdict(list)
    plans = {}
    with count_passes() as passes:
        for photographs in networks(budget):
            plans[photographs[0].name] = photographs[0].model.plan
            for number, photograph in enumerate(photographs, 1):
                for part in [given.only] if given.only else PARTS:
                    for key, value in PARTS[part](photograph, budget):
                        found[key].append(value)
                seconds = time.perf_counter() - started
                console.print(f"{photograph.name}, photograph {number}: {passes.backward} samples, {seconds:.0f} s")
    results = [
        {**asdict(key), "summary": SUMMARY[key.question], **summary(SUMMARY[key.question], values), "photographs": values}
        for key, values in found.items()
    ]
    spent = {
        "gradient rows": passes.backward,
        "forward rows": passes.forward - passes.backward,
        "seconds": time.perf_counter() - started,
    }
    if given.only:
        earlier = json.loads(out.read_text("utf-8"))
        spent = {key: value + earlier["about"][key] for key, value in spent.items()}
        results = [row for row in earlier["results"] if Key(*(row[name] for name in Key.__annotations__)) not in found] + results
    about = {
        "budget": given.budget,
        **asdict(budget),
        **spent,
        "threads": given.threads,
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "plans": plans,
    }
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(_rounded({"about": about, "results": results}), indent=1, ensure_ascii=False) + "\n", "utf-8")
    console.print(f"wrote {out}")


def _rounded(value: Any) -> Any:
    """Six significant digits are more than the study knows."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    main()
