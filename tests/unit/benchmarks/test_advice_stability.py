"""The sentence of the demo does not depend on the seed."""

from benchmarks.advice_stability import play, stored
from heatproof.verdict import packaged_verdict
from heatproof.verdict.advice_scores import evidence_of


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
