"""The rule of advice on scores with known truth: who is named, who is eliminated, and how often it is wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.advice_simulation import draw, play, summary
from heatproof.stats import ALPHA
from heatproof.verdict.advice import Advice, MetricUse
from heatproof.verdict.advice_rule import MethodFacts
from heatproof.verdict.advice_scores import AdviceScores, QuestionScores, evidence_of, merits_of, resample
from heatproof.verdict.advise import COUNTS
from heatproof.verdict.alternatives import alternatives
from heatproof.verdict.answers import Outcome, answer, plan_counts, race, race_levels
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


def conclusion(methods, *scores, missing=(), resamples=20):
    return told(AdviceScores(methods, scores, (N,), missing), resamples)


def told(scores, resamples=20):
    """The conclusion in the words that resamples allow."""
    return evidence_of(scores, choices=resample(scores, resamples)).conclusion


NAMES = "Good", "Fair", "Guided"
NAN = float("nan")


def test_it_names_the_best_the_next_and_the_one_to_avoid_with_its_evidence():
    found = conclusion(
        facts(*NAMES, coarse=("Fair",)),
        asked(WEIGHTS, 0.5, 0.5, -0.4, values=(0.1, 0.1, 0.89), spread=0.05, metrics=1),
        asked(PIXELS, 2, 1, NAN),
        asked(REGIONS, 1, 0.5, NAN),
    )
    assert found.sentence == ("Use Good. Fair is next, and coarse. Avoid Guided: it keeps most of itself when the weights are new.")
    assert (found.use, found.next, found.avoid, found.why, found.decided) == ("Good", "Fair", "Guided", "weights", True)


def test_of_tied_methods_a_cheap_one_is_recommended_and_those_are_named_that_resamples_recommend():
    pixels = asked(PIXELS, 1, 1, 1.01, spread=0.5)
    cheap = conclusion((*facts("Dear", "Dearest", passes=60.0), *facts("Cheap")), pixels)
    assert cheap.sentence == "Use Cheap."  # whatever the images, as no other is shown to be worth its cost
    assert {*cheap.tied} == {"Dear", "Dearest"}
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
    assert found.sentence.endswith("Avoid Guided: it keeps more than 0.9 of itself when another class is explained.")


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
        looks = plan_counts(100, COUNTS, methods)
        assert looks == ((12, 24, 40, 80, 100) if methods == 1 else (6, 12, 24, 40, 80, 100))
        for index, n in enumerate(looks):
            unanimous = np.arange(1.0, n + 1)[None].repeat(methods, 0)
            passed = answer([unanimous], unanimous, 0 * unanimous, looks, sizes=False)[index][0].outcome == Outcome.PASS
            merits = np.eye(methods)[-1][:, None] * np.ones(n)
            behind = race(merits, [[True] * methods] * len(looks), looks)[0]
            assert passed == (n >= 12)
            assert behind == [m < methods - 1 for m in range(methods)]
    assert plan_counts(3, (12, 24), 5) == (3,)
    assert plan_counts(50, (12, 24), 5) == (12, 24)


def test_six_images_that_agree_drop_a_method_however_many_there_are_and_five_do_not():
    merits = np.concatenate([np.zeros((11, 6)), np.ones((1, 6))])
    assert race(merits, [[True] * 12] * 2, (6, 12))[0] == [True] * 11 + [False]
    merits[:, 5] *= -0.5
    assert race(merits, [[True] * 12] * 2, (6, 12))[0] == [False] * 12


def test_the_levels_of_the_race_are_what_there_is_to_spend():
    for looks in ((6,), (6, 12), (6, 12, 24, 40, 80, 160), (12, 24, 40), (3, 4)):
        levels = race_levels(looks)
        assert len(levels) == len(looks)
        assert sum(levels) == pytest.approx(ALPHA)


def test_nobody_is_behind_a_method_that_cannot_be_recommended():
    """Guided leads by far and is eliminated by its map of another class, after the race has seen it."""
    classes = asked(CLASS, -0.09, 0.4, 0.4, values=(0.99, 0.5, 0.5), spread=0.01, metrics=1)
    found = evidence_of(AdviceScores(facts("Guided", "Fair", "Good"), (classes, asked(PIXELS, 9, 1, 1.1)), (6, N)))
    assert found.behind[1:] == (False, False)
    assert "Fair" in (found.conclusion.use, *found.conclusion.tied)


def test_a_gain_that_is_too_small_ends_the_question_and_keeps_its_place_among_the_tests():
    rng = np.random.default_rng(3)
    noise = np.stack([rng.normal(size=160), rng.normal(size=160) - 0.1, rng.normal(size=160) + 1])
    found = answer([noise, noise], noise, 0 * noise, (80, 160), worth=0.5)[0]
    assert [str(each.outcome) for each in found] == ["no gain", "no gain", "pass"]
    assert all(each.outcome != Outcome.NO_GAIN for each in answer([noise], noise, 0 * noise, (80, 160))[0])
    later = noise.copy()
    later[:2, 80:] = np.nan
    later[2] -= 0.65
    without = answer([later[2:]], later[2:], 0 * later[2:], (80, 160), worth=0.1)[1][0]
    among = answer([later], later, 0 * later, (80, 160), worth=0.5)[1][2]
    assert among.p == pytest.approx(3 * without.p)
    wide = np.stack([noise[0], -noise[0] + 1e-9])  # one metric says yes and one no: their mean has no gain
    assert answer(list(wide[:, None]), noise[:1], 0 * noise[:1], (80,), worth=0.5)[0][0].outcome == Outcome.NO_GAIN


def test_a_tie_ends_once_the_others_are_shown_not_to_be_better_by_what_is_worth_telling():
    methods, n = (*facts("Dear", passes=60.0), *facts("Cheap")), 80
    dear, lead = np.random.default_rng(4).normal(size=(2, n))
    gains = 1 + np.stack([dear, dear + (lead - lead.mean()) / lead.std() + 0.1])  # Cheap leads by d = 0.1
    pixels = QuestionScores(PIXELS, ("fill",), (gains,), gains, 0 * gains)
    found = {worth: evidence_of(AdviceScores(methods, (pixels,), (40, 80, 160), worth=worth)) for worth in (None, 0.4)}
    assert {each.conclusion.sentence for each in found.values()} == {"Use Cheap."}
    assert (found[None].conclusion.tied, found[None].conclusion.level) == (("Dear",), ())
    assert found[None].wanted["faithfulness"] == (0, 1)
    assert not found[None].conclusion.decided
    assert (found[0.4].conclusion.tied, found[0.4].conclusion.level) == (("Dear",), ("Dear",))
    assert found[0.4].conclusion.decided
    assert found[0.4].wanted["faithfulness"] == ()


def test_two_names_of_one_map_are_no_open_tie():
    one = np.random.default_rng(6).normal(size=N) + 3
    gains = np.stack([one, one, one - 1.5])
    pixels = QuestionScores(PIXELS, ("fill",), (gains,), gains, 0 * gains)
    found = evidence_of(AdviceScores(facts("A", "B", "C"), (pixels,), (N, 24))).conclusion
    assert found.sentence == "Use A; B has the same scores here."
    assert found.decided
    assert (found.same, found.tied, found.next) == (("B",), (), "C")  # of which `explain` draws A and C


def test_noise_ends_as_no_gain_that_is_worth_telling():
    noise = np.random.default_rng(5).normal(size=(2, 160))
    pixels = QuestionScores(PIXELS, ("fill",), (noise,), noise, 0 * noise)
    found = evidence_of(AdviceScores(facts("A", "B"), (pixels,), (40, 160), worth=0.5))
    assert found.conclusion.sentence == "Nothing here is better than the edges of the image, to within d = 0.5, on 40 images."
    assert found.conclusion.decided
    assert found.wanted["faithfulness"] == ()


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
    assert evidence_of(clear).conclusion.stability(resample(clear, 50)) == 1
    tie = AdviceScores(facts("A", "B"), (asked(PIXELS, 0.3, 0.3, spread=0.3),), (N,))
    choices = resample(tie, 50)
    found = evidence_of(tie, choices=choices).conclusion
    assert found.sentence == "Use B; A is not told apart from it."
    assert choices.share(["B"], None, None, None) < 0.9 <= found.stability(choices)


def test_what_resamples_frequently_say_instead_is_told_with_what_decides():
    near = asked(CLASS, -0.01, 0.4, -0.099, values=(0.91, 0.5, 0.999), spread=0.016, metrics=1)
    near = replace(near, controls=np.full_like(near.controls, CLASS.limit))
    scores = AdviceScores(facts("Near", "Fair", "Guided"), (near, asked(PIXELS, 3, 1, NAN)), (N,))
    choices = resample(scores, 40)
    found = evidence_of(scores, choices=choices)
    assert found.conclusion.use == "Fair"
    assert "Near" not in found.conclusion.sentence
    told = [*alternatives(scores.methods, found.questions, found.answers, found.conclusion, choices)]
    assert len(told) == 1
    assert told[0].endswith(
        "of resamples of the images recommend Near instead. Here it fails class (Does the map depend on the class?) with 0.91, "
        "where the limit is 0.90; there it does not."
    )


def test_open_intervals_contain_zero_decided_ones_do_not_and_what_is_asked_no_further_is_dropped():
    rng = np.random.default_rng(8)
    gains = np.array([2.0, 0.6, 0.0, -2.0])[:, None] + rng.normal(size=(4, 24))
    gains[3, 6:] = np.nan  # behind after six images
    pixels = QuestionScores(PIXELS, ("fill",), (gains,), gains, 0 * gains)
    found = evidence_of(AdviceScores(facts("A", "B", "C", "D"), (pixels,), (6, 12, 24))).answers[0]
    assert [str(each.outcome) for each in found] == ["pass", "dropped", "dropped", "dropped"]
    assert found[0].low > 0
    assert all(each.low < 0 < each.high for each in found[1:])
    assert (found[3].n, found[3].low, found[3].high) == (6, -np.inf, np.inf)


def test_every_question_says_what_it_asks_and_what_is_wrong_with_a_failure():
    assert len({question.name for question in QUESTIONS}) == len(QUESTIONS)
    for question in QUESTIONS:
        assert question.asks.endswith("?")
        assert question.failed
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


def test_gains_that_are_all_zero_are_open_and_no_warning_is_given():
    zeros = np.zeros((2, N))
    for worth in (None, 0.2):
        assert {each.outcome for each in answer([zeros, zeros], zeros, zeros, looks=(N,), worth=worth)[-1]} == {Outcome.OPEN}


def test_questions_that_are_open_about_the_same_methods_stand_together():
    asks = asked(WEIGHTS, 0, 0, 0, 0), asked(CLASS, 0, 0, 0, 0), asked(PIXELS, 0, 0, 9, NAN)
    scores = AdviceScores(facts("A", "B", "C", "LRP, ε"), asks, (N,), worth=None)
    advice = Advice("net", "", N, scores, evidence_of(scores), {}, (), resample(scores, 5), 0, "", Path("runs"))
    found = [line for line in advice.text(1000).splitlines() if line.startswith("Open")]
    assert found[0] == "Open, weights and class: “LRP, ε” (128 images); A (12,387 images); B and C (no sign of a difference)."
    assert advice._several(["A", "B", "C", "LRP, ε"]) == "all 4 methods"


def test_metrics_that_are_not_used_for_one_reason_stand_together_and_that_nothing_has_a_score_is_said():
    nothing = QuestionScores(WEIGHTS, ("fill",), (np.full((2, N), NAN),), np.full((2, N), NAN), np.full((2, N), NAN))
    scores = AdviceScores(facts("A", "B"), (nothing,), (N,))
    metrics = tuple(MetricUse(label, False, float("inf"), "Not here: all is equal.") for label in ("x", "y"))
    advice = Advice("net", "", N, scores, evidence_of(scores), {}, metrics, resample(scores, 5), 0, "", Path("runs"))
    assert "Not used: x and y. Not here: all is equal." in advice.text(1000)
    assert "No method has a score on any image: " in advice.text(1000)
