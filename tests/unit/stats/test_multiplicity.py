import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heatproof.stats import holm

P = arrays(np.float64, st.integers(1, 12), elements=st.floats(0, 1))


def test_holm_by_hand():
    # sorted .01 .02 .03 .04 × 4 3 2 1 = .04 .06 .06 .04, made monotone
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03, 0.02])), [0.06, 0.04, 0.06, 0.06])


def test_a_missing_test_is_no_member_of_the_family():
    np.testing.assert_allclose(holm(np.array([0.01, np.nan, 0.02])), [0.02, np.nan, 0.02])


@given(P)
def test_holm_lies_between_the_raw_p_and_bonferroni_and_keeps_the_order(p):
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, len(p) * p) + 1e-15).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


@given(P)
def test_rejections_are_those_of_the_stepwise_procedure(p):
    rejected = set()
    for step, index in enumerate(np.argsort(p, kind="stable")):
        if p[index] * (len(p) - step) > 0.05:
            break
        rejected.add(int(index))
    assert set(np.flatnonzero(holm(p) <= 0.05).tolist()) == rejected
