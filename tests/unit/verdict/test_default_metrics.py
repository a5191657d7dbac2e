"""The calibration of every metric that `judge` takes by default, on stored scores of random maps."""

import json

import numpy as np
import pytest

from benchmarks.calibration import RESULTS, calibrations, metrics
from heatproof.stats import calibrate

STORED = json.loads(RESULTS.read_text("utf-8"))


def test_every_default_metric_calls_two_random_maps_different_in_five_per_cent_of_the_pairs():
    seen = set()
    for network, metric, found in calibrations(pairs=2_000):
        seen.add((network, metric))
        for n, each in found.items():
            assert each.pairs == 2_000
            assert each.rate == pytest.approx(0.05, abs=0.02), (network, metric, n)
            assert each.seeds_alike > 0.01, (network, metric, n)
    assert seen == {(network, metric) for network in STORED for metric in metrics(optional=False)}


def test_so_does_every_other_metric_that_judge_takes():
    found = {metric: max(each.items())[1] for _, metric, each in calibrations(optional=True, pairs=2_000)}
    assert set(found) == set(metrics(optional=True))
    assert {metric: each.rate for metric, each in found.items() if abs(each.rate - 0.05) > 0.02} == {}
    assert {metric for metric, each in found.items() if each.seeds_alike < 0.05 / len(found)} == set()


def test_scores_of_which_one_seed_is_better_on_all_images_are_found_out():
    """As where the random numbers of a metric are those of the seed and not of the image."""
    scores = np.array(STORED["squeezenet1_1"]["SRG of pixels"])
    shifted = scores + np.linspace(0, 2, len(scores))[:, None] * scores.std(axis=0)
    assert calibrate(scores, np.random.default_rng(0)).seeds_alike > 0.01
    assert calibrate(shifted, np.random.default_rng(0)).seeds_alike < 0.01
