"""The ladder of known damage."""

import numpy as np
import pytest
from scipy import stats

from heatproof.core.errors import TensorError
from heatproof.core.records import Direction
from heatproof.stats import climb, resampling_weights

DAMAGE = np.array([0.0, 0.25, 0.5, 1.0])
WEIGHTS = resampling_weights(20, 300, np.random.default_rng(0))
NOISE = np.random.default_rng(1).normal(size=(4, 20))


@pytest.mark.parametrize(("direction", "tau"), [(Direction.HIGHER, 1), (Direction.LOWER, -1)])
def test_a_score_that_falls_with_each_step_has_tau_1_if_more_is_better(direction, tau):
    ladder = climb(np.repeat(-DAMAGE[:, None], 20, axis=1), DAMAGE, direction, WEIGHTS)
    assert (ladder.tau, ladder.low, ladder.high, ladder.n) == (tau, tau, tau, 20)


def test_it_is_kendalls_tau_of_each_image():
    ladder = climb(NOISE, DAMAGE, Direction.HIGHER, WEIGHTS)
    assert ladder.images == pytest.approx([stats.kendalltau(DAMAGE, -scores).statistic for scores in NOISE.T])
    assert ladder.tau == pytest.approx(ladder.images.mean())


def test_a_score_that_takes_no_notice_has_tau_0():
    assert climb(np.ones((4, 20)), DAMAGE, Direction.HIGHER, WEIGHTS).tau == 0
    noise = climb(NOISE, DAMAGE, Direction.HIGHER, WEIGHTS)
    assert noise.low < 0 < noise.high


def test_the_order_of_the_steps_and_equal_damage_do_not_count():
    order = [2, 0, 3, 1]
    assert climb(NOISE[order], DAMAGE[order], Direction.LOWER, WEIGHTS) .images == pytest.approx(
        climb(NOISE, DAMAGE, Direction.LOWER, WEIGHTS).images
    )  # fmt: skip
    twice = climb(np.array([[3.0], [9.0], [1.0]]), np.array([0, 0, 1]), Direction.HIGHER, np.ones((2, 1)))
    assert twice.tau == 1


def test_missing_steps_drop_the_image_and_a_ladder_needs_two_steps():
    scores = NOISE.copy()
    scores[1, 3] = np.nan
    ladder = climb(scores, DAMAGE, Direction.HIGHER, WEIGHTS)
    assert (ladder.n, ladder.dropped, np.isnan(ladder.images[3])) == (19, 1, True)
    with pytest.raises(TensorError, match="two steps"):
        climb(NOISE[:1], DAMAGE[:1], Direction.HIGHER, WEIGHTS)
    with pytest.raises(TensorError, match="expected scores"):
        climb(NOISE, DAMAGE[:2], Direction.HIGHER, WEIGHTS)
