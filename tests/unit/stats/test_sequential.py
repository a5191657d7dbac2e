import numpy as np
import pytest

from heatproof.core.errors import SettingsError, TensorError
from heatproof.stats import ALPHA, Decision, decide, holm, plan_looks, sign_flip_p, smallest_p

RNG = np.random.default_rng
AGAINST_LAST = [(0, 3), (1, 3), (2, 3)]


def test_looks_are_ends_of_batches_that_could_decide_and_the_last_is_the_end():
    looks = plan_looks(100, 4, 7, 5)
    assert looks == (12, 32, 56, 76, 100)
    assert smallest_p(8) * 7 * 5 > ALPHA > smallest_p(12) * 7 * 5


@pytest.mark.parametrize(("images", "batch", "looks"), [(12, 4, 5), (7, 1, 5), (100, 100, 5), (100, 4, 1), (3, 4, 2)])
def test_where_no_earlier_look_could_decide_the_only_look_is_the_last(images, batch, looks):
    assert plan_looks(images, batch, 10, looks) == (images,)


@pytest.mark.parametrize("looks", [1, 2, 3, 8, 20, 99])
def test_looks_are_no_more_than_asked_for_and_come_in_order(looks):
    found = plan_looks(200, 3, 4, looks)
    assert len(found) <= looks
    assert sorted(set(found)) == list(found)
    assert found[-1] == 200


def test_a_comparison_is_different_if_its_holm_p_times_the_looks_is_below_alpha():
    values = RNG(1).normal(size=(4, 12)) + np.array([[2.0], [1.2], [0.1], [0.0]])
    p = holm(np.array([sign_flip_p(values[i] - values[j], RNG(0)) for i, j in AGAINST_LAST]))
    for looks in (1, 3, 10):
        expected = [Decision.DIFFERENT if looks * q < ALPHA else Decision.OPEN for q in p]
        assert decide(values, AGAINST_LAST, looks) == expected
    assert len({tuple(decide(values, AGAINST_LAST, looks)) for looks in (1, 10_000)}) == 2


def test_a_comparison_is_equal_if_its_differences_lie_well_within_the_margin():
    values = np.stack([RNG(2).normal(0, 0.1, 20), np.zeros(20), RNG(3).normal(0, 3, 20)])
    assert decide(values, [(0, 1), (2, 1)], 5, margin=0.3) == [Decision.EQUAL, Decision.OPEN]
    assert decide(values, [(0, 1), (2, 1)], 5) == [Decision.OPEN, Decision.OPEN]


def test_equality_is_decided_by_the_worse_of_two_one_sided_tests():
    """Eleven differences 0.9 of a margin 1: 1.9 each on one side, 0.1 each on the other, so p = 2⁻¹¹ on both."""
    values = np.stack([np.full(11, 0.9), np.zeros(11)])
    assert smallest_p(11) * 100 > ALPHA  # so that they are not called different
    assert decide(values, [(0, 1)], 100, margin=1.0) == [Decision.EQUAL]
    assert decide(values, [(0, 1)], 103, margin=1.0) == [Decision.OPEN]
    assert decide(values, [(0, 1)], 100, margin=0.9) == [Decision.OPEN]


def test_rows_without_a_common_image_are_no_members_of_the_family():
    values = np.stack([np.full(7, 1.0), np.full(7, np.nan), np.zeros(7)])
    assert smallest_p(7) * 3 < ALPHA < smallest_p(7) * 3 * 2
    assert decide(values, [(0, 2), (1, 2)], 3) == [Decision.DIFFERENT, Decision.UNTESTED]


@pytest.mark.parametrize(
    ("effects", "true_nulls"), [((0, 0, 0), (0, 1, 2)), ((1.5, 0, 0), (1, 2)), ((3, 3, 0), (2,))], ids=["none", "one", "two"]
)
def test_looking_repeatedly_keeps_the_chance_of_any_false_difference_below_alpha(effects, true_nulls):
    """1,500 runs of up to 14 heavy-tailed images against one control: false claims at any look, three standard errors allowed."""
    runs, rng = 1_500, RNG(11)
    looks = plan_looks(14, 1, 3, 4)
    assert len(looks) == 4
    false = 0
    for _ in range(runs):
        values = rng.standard_t(3, size=(4, 14)) + np.array([[*effects, 0]]).T
        said = [decide(values[:, :n], AGAINST_LAST, len(looks)) for n in looks]
        false += any(answers[k] is Decision.DIFFERENT for answers in said for k in true_nulls)
    assert false / runs <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / runs)


def test_looking_repeatedly_without_correction_would_exceed_alpha():
    """The same runs judged by each look's own p: this is what the correction is for."""
    runs, rng = 400, RNG(12)
    false = 0
    for _ in range(runs):
        values = rng.standard_t(3, size=(4, 14))
        false += any(Decision.DIFFERENT in decide(values[:, :n], AGAINST_LAST, 1) for n in range(8, 15))
    assert false / runs > ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / runs)


def test_looking_repeatedly_keeps_the_chance_of_any_false_equality_below_alpha():
    """Differences of exactly the margin are not equal."""
    runs, rng, looks = 1_000, RNG(13), plan_looks(14, 1, 1, 4)
    false = 0
    for _ in range(runs):
        values = np.stack([1 + rng.normal(0, 0.3, size=14), np.zeros(14)])
        false += any(decide(values[:, :n], [(0, 1)], len(looks), margin=1.0) == [Decision.EQUAL] for n in looks)
    assert false / runs <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / runs)


def test_impossible_arguments_are_refused():
    with pytest.raises(TensorError, match="methods, images"):
        decide(np.zeros(3), [(0, 1)], 1)
    with pytest.raises(SettingsError, match="positive margin"):
        decide(np.zeros((2, 3)), [(0, 1)], 1, margin=0.0)
    with pytest.raises(SettingsError, match="at least one"):
        plan_looks(0, 4, 1, 5)
