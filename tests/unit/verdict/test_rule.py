"""The rule that makes a sentence of the numbers about a metric: each branch, from evidence that is made for it."""

from dataclasses import replace

import numpy as np
import pytest

from heatproof.core.records import Direction
from heatproof.stats import Agreement, Calibration, EffectSize, Ladder, Reliability
from heatproof.verdict.evidence import Evidence
from heatproof.verdict.rule import FEWEST, Finding, Standing, find
from heatproof.verdict.stability import Stability

N = 12


def ladder(tau, half=0.1, spread=0.2):
    images = np.where(np.arange(N) % 2 == 0, tau + spread, tau - spread)
    return Ladder(tau, tau - half, tau + half, N, 0, images)


def effect(d, images, half=0.5):
    return EffectSize(d, d - half, d + half, images, images, images, N)


GOOD = Evidence(
    name="truth",
    metric="Truth",
    direction=Direction.HIGHER,
    n=N,
    calibration=Calibration(0.05, 0.04, 0.06, 0.05, 0.5, 2000, 8, N, 0),
    ladders={"noise": ladder(0.8), "shuffle": ladder(0.9), "blur": ladder(0.1), "shift": ladder(0.5)},
    damaged="LRP",
    reliability=Reliability(0.95, 0.9, 0.99, N, 7, 0),
    over_seeds=Reliability(1.0, 1.0, 1.0, 2, 5, 0),
    agreement=Agreement(0.6, 0.4, 0.8, N, 7, 0),
    best="LRP",
    over_chance=effect(1.5, 7),
    over_edges=effect(0.8, 15),
    confounds={"Edge map": effect(0.7, 20), "Constant map": effect(0.0, np.inf)},
    passes=25.0,
)


def changed(**fields):
    return find(replace(GOOD, **fields))


def with_ladder(kind, value):
    return changed(ladders={**GOOD.ladders, kind: value})


def test_a_metric_without_fault_is_believed_and_says_what_it_tells_apart():
    found = find(GOOD)
    assert found == Finding(
        Standing.BELIEVE,
        7,
        "Believe it here: damage lowers the score (τ = 0.80 and 0.90), 7 images tell LRP from a random map, and 15 from the "
        "edge map.",
    )


@pytest.mark.parametrize("edges", [effect(-0.4, 60), effect(0.01, 90_000)])
def test_it_says_so_where_no_method_beats_the_edges(edges):
    found = changed(over_edges=edges)
    assert found.standing == Standing.BELIEVE
    assert found.sentence.endswith("from a random map, not from the edge map.")


def test_without_scores_there_is_nothing_to_believe_and_of_few_images_nothing_is_significant():
    assert changed(n=0) == Finding(Standing.NOT, np.inf, "Not here: no method has a score on any image.")
    few = changed(n=1)
    assert (few.standing, few.images, FEWEST) == (Standing.MORE, 6, 6)
    assert few.sentence == "Only with 6 images or more: of 1 image with a score, no difference is significant."


@pytest.mark.parametrize(
    ("calibration", "words"),
    [
        (Calibration(0.11, 0.09, 0.13, 0.11, 0.5, 2000, 8, N, 0), "two random maps different in 11 % [9, 13] of all pairs"),
        (
            Calibration(0.05, 0.04, 0.06, 0.05, 0.001, 2000, 8, N, 0),
            "one random map is better than another on all images alike (p = 0.001)",
        ),
    ],
)
def test_a_metric_that_tells_chance_from_chance_is_not_believed(calibration, words):
    found = changed(calibration=calibration)
    assert found.standing == Standing.NOT
    assert words in found.sentence


@pytest.mark.parametrize("kind", ["noise", "shuffle"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (ladder(0.0), "it takes no notice of"),
        (ladder(-0.5), "it rewards"),
        (ladder(0.01, spread=2.0), "it takes no notice of"),  # more than 1,000 images would be needed
    ],
)
def test_a_metric_that_does_not_notice_damage_is_not_believed(kind, value, words):
    found = with_ladder(kind, value)
    assert (found.standing, found.images) == (Standing.NOT, np.inf)
    assert words in found.sentence


def test_damage_that_is_not_yet_noticed_needs_more_images():
    found = with_ladder("noise", ladder(0.2, half=0.25, spread=0.6))
    assert found.standing == Standing.MORE
    assert N < found.images < 150
    assert found.sentence.startswith(f"Only with {found.images:.0f} images: it does not yet show that it notices noise in the map")


def test_a_moved_map_must_not_be_preferred_and_a_blurred_one_is_mentioned():
    assert with_ladder("shift", ladder(0.0)).standing == Standing.BELIEVE
    assert "prefers maps that were moved" in with_ladder("shift", ladder(-0.5)).sentence
    blurred = with_ladder("blur", ladder(-0.5))
    assert blurred.standing == Standing.BELIEVE
    assert blurred.sentence.endswith(" Beware: it prefers blurred maps.")


@pytest.mark.parametrize(
    ("over", "words"),
    [
        (effect(-0.3, 90), "no method scores better than a random map"),
        (effect(0.05, 4000), "no method is told from a random map"),
        (effect(0.0, np.inf), "no method scores better than a random map"),
    ],
)
def test_a_metric_that_no_method_wins_is_not_believed(over, words):
    found = changed(over_chance=over)
    assert found.standing == Standing.NOT
    assert words in found.sentence


def test_the_images_needed_are_those_of_the_most_demanding_question():
    found = changed(over_chance=effect(0.45, 40), reliability=Reliability(0.6, 0.2, 0.9, N, 7, 0))
    assert (found.standing, found.images) == (Standing.MORE, 40)
    assert "it takes 40 to tell LRP from a random map" in found.sentence
    assert "it takes 32 until other images order the maps alike" in found.sentence


def test_a_metric_whose_order_is_another_for_every_half_is_not_believed():
    assert "orders the maps anew" in changed(reliability=Reliability(-0.2, -2, 0.4, N, 7, 0)).sentence
    unknown = Reliability(np.nan, np.nan, np.nan, N, 2, 0)
    assert changed(reliability=unknown).standing == Standing.BELIEVE


def test_what_does_not_decide_is_still_said():
    better = changed(confounds={"Constant map": effect(3.0, 6)}).sentence
    assert better.endswith(" Beware: the constant map scores better than every method.")
    coarse = changed(calibration=Calibration(0.05, 0.04, 0.06, 0.001, 1.0, 2000, 8, N, 0))
    assert coarse.standing == Standing.BELIEVE
    assert "random maps differ in < 1 % of the pairs only" in coarse.sentence


def test_another_setting_that_orders_the_methods_otherwise_is_mentioned():
    stable, not_stable = Stability(0.9, 0.8, 1.0, N, True), Stability(0.1, -0.1, 0.3, N, False)
    assert "otherwise" not in changed(stability={"length": stable}).sentence
    found = changed(stability={"length": stable, "fill blurred": not_stable})
    assert found.standing == Standing.BELIEVE
    assert found.sentence.endswith(
        "Beware: it orders the methods otherwise with another setting, fill blurred (τ down to 0.10 [−0.10, 0.30])."
    )
