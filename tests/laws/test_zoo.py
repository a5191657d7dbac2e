"""Every method on every network of the zoo: right, or refused by the words that the network declares, and nothing stays behind.

A test runs all methods over one network, since what takes time is the first meeting of the two. What a method does wrong is
collected, so that one failure names every method that a network troubles.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from warnings import catch_warnings, filterwarnings, simplefilter

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import HeatproofError
from heatproof.methods import (
    AblationCam,
    AdaptiveNoise,
    Attribution,
    Competition,
    DeepLift,
    ExpectedGradients,
    ExtremalPerturbation,
    FeatureAblation,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    Lime,
    Lrp,
    MeaningfulPerturbation,
    Method,
    Occlusion,
    PartitionShap,
    Rise,
    ScoreCam,
    ShapleySampling,
    SmoothGrad,
    SmoothTaylor,
)
from heatproof.metrics import TotalVariationCurve
from heatproof.models import Model
from heatproof.numerics.quadrature import GaussLegendre
from tests.laws.awaited import AWAITED
from tests.laws.cases import FOUR, METHODS, suited
from tests.support.alive import alive, left_behind, watch
from tests.support.checking import shapes_checked
from tests.support.close import gap
from tests.support.state import state_of
from tests.zoo import ZOO, Network
from tests.zoo.network import BOUND, groups_of, names_in

EVERY_METHOD: Mapping[str, Method] = {
    **{family.name: next(iter(variants.values())) for family, variants in METHODS.items()},
    "integrated_gradients": IntegratedGradients(quadrature=GaussLegendre(steps=3)),
    "expected_gradients": ExpectedGradients(baselines=2, strata=2),
    "smooth_taylor": SmoothTaylor(samples=2),
    "smooth_grad": SmoothGrad(samples=2),
    "competition": Competition(rivals=1),
    "score_cam": ScoreCam(channels=2),
    "ablation_cam": AblationCam(channels=2),
    "occlusion": Occlusion(window=4, stride=4),
    "feature_ablation": FeatureAblation(groups=FOUR),
    "rise": Rise(samples=4, cells=2),
    "lime": Lime(samples=6, groups=FOUR),
    "shapley_sampling": ShapleySampling(samples=2, groups=FOUR),
    "partition_shap": PartitionShap(samples=2, groups=FOUR),
    "meaningful_perturbation": MeaningfulPerturbation(steps=1),
    "extremal_perturbation": ExtremalPerturbation(areas=(0.2,), steps=1),
    "adaptive_noise": AdaptiveNoise(method=SmoothTaylor(samples=2), objective=TotalVariationCurve(scaled=True), iterations=1),
    **{f"lrp: {name}": Lrp(composite=name) for name in ("z_plus_everywhere", "attn_lrp")},
}
"""Every method, at settings as cheap as can be, and a rule of each kind."""
SAME: Mapping[torch.dtype, float] = {torch.float64: 1e-9, torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.2}
"""How near two ways to the same map come."""
COMPLETE = 5e-3
"""The share of its magnitudes by which DeepLIFT may miss its expected sum: it integrates normalisations with a few nodes."""


# --- one method on one network -----------------------------------------------------------------------------------------------


@dataclass
class Trial:
    """One method on one network, and what was wrong with it."""

    name: str
    method: Method
    network: Network
    wrong: list[str] = field(default_factory=list)
    fitted: Method | None = None

    def call(self, model: Model, rows: Tensor) -> Attribution | str:
        """The maps, or the words of the refusal; any other error is wrong."""
        try:
            with catch_warnings():
                if self.network.warning:
                    filterwarnings("ignore", self.network.warning)
                self.fitted = self.fitted or suited(self.method, model, rows)
                return self.fitted.attribute(model, rows, self.network.target, seed=3)
        except HeatproofError as error:
            return str(error)
        except Exception as error:
            if str(error) in self.network.words(self.method):
                return str(error)  # the network's own error
            self.blame(f"raised {type(error).__name__}: {str(error)[:200]!r}")
            return ""

    def blame(self, what: str) -> None:
        if what not in self.wrong:
            self.wrong.append(what)

    def is_a_map_where_one_is_expected(self, found: Attribution | str) -> bool:
        """Blames what is neither a map nor refused as expected."""
        words = self.network.words(self.method)
        if isinstance(found, str):
            if found and not any(each in found for each in words):
                self.blame(f"refused: {found!r}" + (f" and not by {sorted(words)}" if words else ""))
            return False
        if words:
            self.blame(f"a map, where a refusal was expected by {sorted(words)}")
            return False
        rows = self.network.rows()
        if found.values.shape != rows.shape or found.values.dtype != rows.dtype:
            self.blame(f"a map {list(found.values.shape)} of {found.values.dtype}")
        for values, note in zip(found.values, found.notes, strict=True):
            if not note and not (values.isfinite().all() and values.any()):
                self.blame("a map that is zero or not finite, without a note")
        if self.network.is_zero(self.method) and found.values.any():
            self.blame("a map that is not zero")
        return True

    def compare(self, found: Attribution | str, expected: Attribution | str, row: int, how: str, tolerance: float) -> None:
        """Blames two ways to the same map that do not come to the same."""
        if isinstance(found, str) or isinstance(expected, str):
            if isinstance(found, str) != isinstance(expected, str):  # the numbers of a message may depend on what ran before
                self.blame(f"{how}: refused once and not again, {found if isinstance(found, str) else expected!r}")
            return
        distance = gap(found.values, expected.values[row:])
        if distance > tolerance:
            self.blame(f"{how}: maps differ by {distance:.2g}")
        if found.notes != expected.notes[row:]:
            self.blame(f"{how}: notes differ, {found.notes} and {expected.notes[row:]}")

    def hold_against_hand(self, found: Attribution, gradient: Tensor, scores: Tensor, black: Tensor) -> None:
        """Blames maps and sums that differ from those by hand."""
        tolerance, rows = self.network.tolerance or 0.0, self.network.rows().double()
        by_hand: dict[type[Method], Tensor] = {Gradient: gradient, InputXGradient: rows * gradient}
        if self.network.affine:
            by_hand |= {IntegratedGradients: (rows + BOUND) * gradient, DeepLift: (rows + BOUND) * gradient}
        expected = next((values for kind, values in by_hand.items() if isinstance(self.method, kind)), None)
        plain = [row for row, note in enumerate(found.notes) if not note]
        if expected is not None and gap(found.values[plain], expected[plain]) > tolerance:
            self.blame(f"differs from the map by hand by {gap(found.values[plain], expected[plain]):.2g}")
        if not isinstance(self.method, DeepLift | IntegratedGradients) or any(found.notes):
            return
        if gap(found.expected_sum, scores - black) > max(10 * tolerance, COMPLETE):
            self.blame(f"expects the sum {found.expected_sum.tolist()}, by hand {(scores - black).tolist()}")
        values = found.values.double().flatten(1)
        missed = (values.sum(1) - found.expected_sum).abs() / values.abs().sum(1)
        if isinstance(self.method, DeepLift) and (missed > max(10 * tolerance, COMPLETE)).any():
            self.blame(f"misses a share of {found.gap.max():.2g} of its expected sum without a note")


def by_hand(network: Network, module: nn.Module, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """∇f(x), f(x) and f(b) in float64, b the lower bounds. Each row goes twice, since torch errs for some that go alone."""
    plain = copy.deepcopy(module) if network.twin is None else network.module(network.twin)
    with catch_warnings():
        simplefilter("ignore")  # of a copy in another type
        model, n = network.model(plain.double()), len(target)
    rows = torch.cat([network.rows()] * 2).double().requires_grad_()
    scores = model.explained(model.outputs(rows * 1), target.repeat(2))
    if scores.requires_grad:
        scores.sum().backward()
    gradient = torch.zeros_like(rows) if rows.grad is None else rows.grad
    with torch.no_grad():
        black = model.explained(model.outputs(torch.full_like(rows, -BOUND)), target.repeat(2))
    return gradient[:n], scores[:n].detach(), black[:n]


@shapes_checked(False)
def complaints(network: Network, methods: Mapping[str, Method]) -> dict[str, list[str]]:
    """What each method does wrong on a network: called for two rows at once, and twice for one row in chunks of one."""
    module, rows = network.module(), network.rows()
    model = network.model(module)
    one_by_one, before = model.with_(chunk=1), state_of(module)
    trials = [Trial(name, method, network) for name, method in methods.items()]
    together = [trial.call(model, rows) for trial in trials]
    watch()
    alone = [trial.call(one_by_one, rows[1:]) for trial in trials]
    first = alive()
    for trial, lone in zip(trials, alone, strict=True):
        trial.compare(trial.call(one_by_one, rows[1:]), lone, 0, "the same call again", 0.0)
    second = alive()
    for trial, batch, lone in zip(trials, together, alone, strict=True):
        if trial.is_a_map_where_one_is_expected(batch):
            trial.compare(lone, batch, 1, "a lone row in chunks of one", SAME[rows.dtype])
    if first != second:
        for name, left in left_behind({trial.name: partial(trial.call, one_by_one, rows[1:]) for trial in trials}).items():
            next(trial for trial in trials if trial.name == name).blame(left)
    if network.forgetful and state_of(module) != before:
        for trial in trials:
            fresh = network.module()
            before = state_of(fresh)
            trial.call(network.model(fresh), rows)
            if state_of(fresh) != before:
                trial.blame("the caller's network is changed")
    answered = [(trial, batch) for trial, batch in zip(trials, together, strict=True) if not trial.method.control]
    maps = [(trial, batch) for trial, batch in answered if isinstance(batch, Attribution) and not network.words(trial.method)]
    if network.tolerance is not None and maps:
        hand = by_hand(network, module, maps[0][1].target)
        for trial, batch in maps:
            trial.hold_against_hand(batch, *hand)
    return {trial.name: trial.wrong for trial in trials if trial.wrong}


def awaits(network: str, method: str) -> set[tuple[str, str]]:
    """The keys of AWAITED that cover a method on a network."""
    names = names_in(EVERY_METHOD[method])
    return {(network, name) for name in (method, *names, *(group for name in names for group in groups_of(name)))} & AWAITED.keys()


def one_method_is_right_on_a_network_or_refused_by_name_and_nothing_stays(method: Method, name: str) -> None:
    """The law of one method, for `test_laws_catch.py`."""
    assert complaints(ZOO[name], {method.name: method}) == {}


@pytest.mark.parametrize("name", ZOO)
def test_every_method_is_right_on_a_network_or_refused_by_name_and_nothing_stays(name: str) -> None:
    wrong = complaints(ZOO[name], EVERY_METHOD)
    unexpected = {method: what for method, what in wrong.items() if not awaits(name, method)}
    assert unexpected == {}
    covering = {key for method in wrong for key in awaits(name, method)}
    assert {key for key in AWAITED if key[0] == name} == covering, "mended: take it out of AWAITED in tests/laws/awaited.py"
