"""The sentence of the demo does not depend on the seed."""

import numpy as np
import pytest

from benchmarks.advice_cost import best, fixed, looked, prices
from benchmarks.advice_stability import play, stored
from heatproof.verdict import packaged_verdict
from heatproof.verdict.advice_scores import evidence_of
from heatproof.verdict.question import STAGES


def test_looks_replayed_on_the_scores_of_each_seed_give_the_packaged_sentence():
    seeds = dict(stored())
    assert len(seeds) >= 3
    units = set()
    for scores in seeds.values():
        replay = play(scores)
        assert evidence_of(replay.scores, sizes=False).conclusion.sentence == packaged_verdict("efficientnet_lite0").sentence
        assert replay.units < scores.asked[0].values.size * 0.6
        units.add(replay.units)
    assert len(units) > 1  # seeds differ in when methods leave, and not in what is said


def test_passes_to_a_decision_are_those_of_the_looks_that_were_taken_and_of_all_in_a_fixed_design():
    scores = dict(stored())[0]
    assert best(scores) == packaged_verdict("efficientnet_lite0").use
    everything = {stage: np.ones((len(scores.methods), 1), dtype=bool) for stage in STAGES}
    one = prices(scores).of(everything)
    design, looks = fixed(scores, 48, runs=2), looked(scores, runs=2)
    assert design.passes == pytest.approx(48 * one)
    assert looks.wrong == design.wrong == 0
    assert 6 * one < looks.passes < looks.images * one
