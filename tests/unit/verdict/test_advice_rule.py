"""The rule of advice on scores with known truth: who is named, who is eliminated, and how often it is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.advice_simulation import draw, play, summary
from heatproof.stats import ALPHA
from heatproof.verdict.advice_rule import MethodFacts
from heatproof.verdict.advice_scores import AdviceScores, QuestionScores, evidence_of, merits_of, stability
from heatproof.verdict.answers import Outcome, answer, plan_counts, race
from heatproof.verdict.question import CLASS, PIXELS, QUESTIONS, REGIONS, WEIGHTS

N = 12


def facts(*labels, passes=3.0, coarse=()):
    return tuple(MethodFacts(label, passes, coarse=label in coarse) for label in labels)


def asked(question, *means, values=None, spread=0.3, seed=0, metrics=2):
    """Scores whose gains have the given means; NaN for a method that was not asked."""
    rng = np.random.default_rng(seed)
    gains = tuple(np.array(means, dtype=float)[:, None] + spread * rng.normal(size=(len(means), N)) for _ in range(metrics))
    shown = gains[0] if values is None else np.broadcast_to(np.array(values, dtype=float)[:, None], gains[0].shape).copy()
    return QuestionScores(question, tuple(f"fill {k}" for k in range(metrics)), gains, shown, 0 * gains[0])


def conclusion(methods, *scores, missing=()):
    return evidence_of(AdviceScores(methods, scores, (N,), missing)).conclusion


NAMES = "Good", "Fair", "Guided"
NAN = float("nan")


def test_it_names_the_best_the_next_and_the_one_to_avoid_with_its_evidence():
    found = conclusion(
        facts(*NAMES, coarse=("Fair",)),
        asked(WEIGHTS, 0.5, 0.5, -0.4, values=(0.1, 0.1, 0.89), spread=0.05, metrics=1),
        asked(PIXELS, 2, 1, NAN),
        asked(REGIONS, 1, 0.5, NAN),
    )
    assert found.sentence == ("Use Good. Fair is next, and coarse. Avoid Guided: it keeps 0.89 of itself when the weights are new.")
    assert (found.use, found.next, found.avoid, found.decided) == ("Good", "Fair", "Guided", True)


def test_of_tied_methods_a_cheap_one_is_recommended_and_all_are_named():
    pixels = asked(PIXELS, 1, 1, 1.01, spread=0.5)
    cheap = conclusion((*facts("Dear", "Dearest", passes=60.0), *facts("Cheap")), pixels)
    assert cheap.sentence == "Use Cheap; Dear and Dearest are not told apart from it and cost more."
    assert not cheap.decided
    assert conclusion(facts("A", "B", "C"), pixels).sentence.endswith("are not told apart from it.")


def test_a_candidate_fails_neither_question_and_second_choice_says_which_it_fails():
    pixels, regions = asked(PIXELS, 3, 1), asked(REGIONS, -1, 1)
    assert conclusion(facts("Split", "Whole"), pixels, regions).use == "Whole"
    alone = conclusion(facts("Split", "Bad"), asked(PIXELS, 3, -1), asked(REGIONS, -1, -1))
    assert alone.sentence.startswith("Use Split, by pixels only: it fails regions.")
    assert alone.avoid == "Bad"


def test_nothing_is_better_than_edges_or_as_far_as_the_images_show():
    worse = conclusion(facts("A", "B"), asked(PIXELS, -1, -1), asked(REGIONS, -1, -1))
    assert worse.sentence.startswith("Nothing here is better than the edges of the image, on 12 images.")
    assert (worse.use, worse.decided) == (None, True)
    unclear = conclusion(facts("A", "B"), asked(PIXELS, 0.1, 0.02), asked(REGIONS, 0, 0.1))
    assert unclear.sentence.startswith("Nothing here is better than the edges of the image, as far as 12 images show")
    assert not unclear.decided
    assert unclear.avoid is None


def test_a_method_that_keeps_its_map_for_another_class_is_no_candidate():
    found = conclusion(
        facts("Guided", "Fair"), asked(CLASS, -0.09, 0.4, values=(0.99, 0.5), spread=0.01, metrics=1), asked(PIXELS, 9, 1)
    )
    assert found.use == "Fair"
    assert found.sentence.endswith("Avoid Guided: it keeps 0.99 of itself when another class is explained.")
    nearly = asked(CLASS, -0.0999, 0.4, values=(0.9991, 0.5), spread=0.001, metrics=1)
    assert "it keeps more than 0.99 of itself" in conclusion(facts("Guided", "Fair"), nearly, asked(PIXELS, 9, 1)).sentence


def test_fills_that_disagree_leave_a_question_open():
    one, other = asked(PIXELS, 2, metrics=1), asked(PIXELS, -2, metrics=1)
    both = replace(one, metrics=("a", "b"), gains=(*one.gains, *other.gains))
    found = evidence_of(AdviceScores(facts("A"), (both,), (N,)))
    assert found.answers[0][0].outcome == Outcome.OPEN
    assert found.answers[0][0].images == float("inf")


def test_what_is_missing_ends_the_sentence():
    assert conclusion(facts("A"), missing=("One image decides nothing.",)).sentence == (
        "No method can be recommended. One image decides nothing."
    )


def test_what_is_decided_stays_decided_and_keeps_its_images():
    rng = np.random.default_rng(1)
    gains = np.array([2.0, 0.0])[:, None] + 0.3 * rng.normal(size=(2, 24))
    gains[0, 12:] = np.nan
    first, second = answer([gains], gains, 0 * gains, looks=(12, 24))
    assert first[0] == second[0]
    assert (second[0].outcome, second[0].n, second[1].n) == (Outcome.PASS, 12, 24)
    gains[0, 12:] = -5.0
    assert answer([gains], gains, 0 * gains, looks=(12, 24))[1][0].outcome == Outcome.PASS


def test_there_is_no_look_that_could_decide_nothing():
    for methods in (1, 3, 12):
        for n in plan_counts(100, (2, 4, 8, 12, 24, 40), methods)[:-1]:
            unanimous = np.arange(1.0, n + 1)[None].repeat(methods, 0)
            looks = plan_counts(100, (2, 4, 8, 12, 24, 40), methods)
            assert answer([unanimous], unanimous, 0 * unanimous, looks, sizes=False)[0][0].outcome == Outcome.PASS
    assert plan_counts(3, (12, 24), 5) == (3,)


def test_the_leader_is_never_behind_and_who_is_behind_is_significantly_so():
    rng = np.random.default_rng(2)
    merits = np.array([1.0, 0.9, -1.0])[:, None] + 0.4 * rng.normal(size=(3, 12))
    behind, leader, p = race(merits, [[True] * 3], (12,))
    assert leader in (0, 1)
    assert behind == [False, False, True]
    assert p[2] < ALPHA


def test_merits_have_one_unit_whatever_the_units_of_the_metrics():
    pixels, regions = asked(PIXELS, 2, 1), asked(REGIONS, 1, 0)
    scores = AdviceScores(facts("A", "B"), (pixels, regions), (N,))
    scaled = replace(pixels, gains=tuple(1000 * each for each in pixels.gains))
    assert merits_of(replace(scores, asked=(scaled, regions))) == pytest.approx(merits_of(scores))


def test_a_clear_answer_is_stable_and_an_unclear_one_is_less_so():
    clear = AdviceScores(facts("A", "B"), (asked(PIXELS, 2, -2),), (N,))
    assert stability(clear, evidence_of(clear).conclusion, 50) == 1
    unclear = AdviceScores(facts("A", "B"), (asked(PIXELS, 0.3, 0.3, spread=0.3),), (N,))
    assert stability(unclear, evidence_of(unclear).conclusion, 50) < 0.95


def test_every_question_says_what_it_asks_and_what_is_wrong_with_a_failure():
    assert len({question.name for question in QUESTIONS}) == len(QUESTIONS)
    for question in QUESTIONS:
        assert question.asks.endswith("?")
        assert question.failed.format(value=1)
        assert question.built()


MEANS = {
    "one is best": [1.5, 0.6, 0.3, 0.0, -0.5, -1.0],
    "two share the first place": [1.0, 1.0, 0.0, -1.0],
    "all are noise": [0.0] * 4,
}


@pytest.mark.parametrize("means", MEANS.values(), ids=MEANS)
def test_the_wrong_method_is_named_in_at_most_five_per_cent_of_runs(means):
    found = summary(np.array(means), (12, 24, 40), runs=200)
    assert found["wrong"] <= 0.05
    if max(means) > 0 and means[0] > means[1]:
        assert found["decided"] > 0.9


def test_a_look_takes_only_what_may_still_be_named():
    played = play(draw(np.array([3.0, 1.0, -2.0, -2.0]), 40, np.random.default_rng(0)), (12, 24, 40))
    assert played.images == 12
    assert played.units == 4 * 12
    assert played.evidence.conclusion.use == "Method 0"
