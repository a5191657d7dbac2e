import math

import numpy as np
import pytest
from scipy import stats

from heatproof.core.errors import SettingsError
from heatproof.stats import images_needed


def test_that_many_images_find_the_gap_four_times_out_of_five():
    n = int(images_needed(0.5, 1.0))
    samples = np.random.default_rng(0).normal(0.5, 1.0, size=(4000, n))
    found = (stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.05).mean()
    assert found == pytest.approx(0.8, abs=0.03)


def test_half_the_gap_needs_about_four_times_the_images():
    assert images_needed(0.1, 1.0) / images_needed(0.2, 1.0) == pytest.approx(4, rel=0.02)


def test_the_sign_of_the_gap_does_not_matter():
    assert images_needed(-0.3, 1.0) == images_needed(0.3, 1.0)


def test_no_gap_is_never_found_and_an_unknown_one_is_nan():
    assert images_needed(0.0, 1.0) == math.inf
    assert math.isnan(images_needed(float("nan"), 1.0))
    assert math.isnan(images_needed(1.0, float("nan")))


def test_impossible_levels_are_refused():
    with pytest.raises(SettingsError, match="between 0 and 1"):
        images_needed(1.0, 1.0, power=1.0)
