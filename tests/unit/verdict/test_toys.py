"""Advice on networks whose truth is known: the method nearest it, what a spurious mark does, and images that decide nothing."""

import numpy as np
import pytest

from benchmarks.advice_simulation import play
from benchmarks.toys import LOOKS, TRUTH, pool, toys, wrong_winners

TOYS = toys()


@pytest.mark.parametrize("name", TOYS)
def test_a_simulated_run_names_the_wrong_method_in_at_most_five_per_cent(name):
    """The right one is the method nearest the truth. Sets of forty images are drawn from the scores of sixty.

    The full figures are those of `python -m benchmarks.toys`.
    """
    distances = TOYS[name].distances(4)
    assert name == "blind" or max(distances, key=distances.get) == TRUTH
    found = wrong_winners(TOYS[name], runs=40, images=60)
    assert found["wrong"] <= 0.05
    assert found["none"] == (0 if name != "blind" else pytest.approx(1, abs=0.05))


def test_where_no_map_says_anything_nothing_is_better_than_the_edges():
    """The images are symmetric noise, so that no map of the weights knows what a pixel contributes."""
    gains = pool(TOYS["blind"], 40)
    found = play(gains, LOOKS).evidence.conclusion
    assert found.use is None
    assert found.sentence.startswith("Nothing here is better than the edges of the image, as far as 40 images show")
    enough = play(gains, LOOKS, worth=0.8).evidence.conclusion
    assert enough.sentence.startswith("Nothing here is better than the edges of the image, to within d = 0.8, on ")
    assert enough.decided
    assert np.shape(gains) == (2, 2, 3, 40)
