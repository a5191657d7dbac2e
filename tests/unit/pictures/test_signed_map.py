import numpy as np

from heatproof.pictures.signed_map import FLOAT32, STORED, signed_map


def test_channels_are_summed_with_their_signs_and_what_is_not_finite_is_zero():
    values = np.array([[[1.0, np.nan, np.inf, 2.0]], [[-3.0, 1.0, 1.0, 0.0]]])
    np.testing.assert_array_equal(signed_map(values, FLOAT32), [[-2.0, 0.0, 0.0, 2.0]])


def test_channels_that_cancel_up_to_the_rounding_of_the_store_are_zero():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 8, 8))
    cancelling = np.stack([first, second, -(first + second)])
    scale = np.abs(cancelling).max()
    stored = (cancelling / scale).astype(np.float16).astype(np.float32) * np.float32(scale)
    assert np.abs(stored.sum(0)).max() > 0
    shown = signed_map(stored, STORED)
    assert np.abs(shown).max() <= np.abs(stored.sum(0)).max()
    assert (shown == 0).mean() > 0.9
    visible = np.stack([first, second, np.zeros_like(first)])
    np.testing.assert_array_equal(signed_map(visible, FLOAT32), first + second)


def test_one_channel_is_never_taken_for_rounding_without_a_score():
    tiny = np.full((1, 4, 4), 1e-30)
    np.testing.assert_array_equal(signed_map(tiny, STORED), tiny[0])
    np.testing.assert_array_equal(signed_map(tiny, STORED, score=0.0), tiny[0])
    assert not signed_map(tiny, STORED, score=-1.0).any()
