"""Agreement with the truth, and a judgement where it is known."""

import numpy as np
import pytest

import heatproof as hp
from heatproof.core.errors import UsageError
from heatproof.core.records import Direction
from heatproof.data import MiniBam
from heatproof.methods import Gradient, InputXGradient
from heatproof.metrics import EnergyInMask
from heatproof.models.loaders import Toy
from heatproof.verdict.truth import TruthScores, truth_of


def test_agreement_is_that_of_the_methods_and_with_controls_that_of_all_maps():
    rng = np.random.default_rng(0)
    levels = np.array([4.0, 3.0, 2.0, 0.0, -1.0])  # three methods, a control and the random map
    truth = TruthScores("truth", Direction.HIGHER, levels[:, None] + 0.1 * rng.normal(size=(5, 20)))
    swapped = levels[[1, 0, 2, 3, 4], None] + 0.1 * rng.normal(size=(5, 20))
    found = truth.agreement(-swapped, Direction.LOWER, 3)
    assert (found.tau, found.low, found.high) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert found.all_maps[0] == pytest.approx(8 / 10)
    assert (found.verdict, found.n) == ("agrees", 20)
    assert truth.agreement(swapped, Direction.LOWER, 3).verdict == "contradicts"
    noise = truth.agreement(rng.normal(size=(5, 20)), Direction.HIGHER, 3)
    assert noise.verdict == "undecided"
    missing = truth.agreement(np.full((5, 20), np.nan), Direction.HIGHER, 3)
    assert np.isnan(missing.tau)
    assert (missing.verdict, missing.n) == ("undecided", 0)


def test_a_judgement_shows_how_far_each_metric_agrees_with_the_truth(tmp_path):
    found = hp.judge(
        model=Toy(architecture="three_blocks", channels=3, side=16, width=0.2),
        data=MiniBam(objects="photographs", scenes="textures", side=16, count=6),
        methods=[InputXGradient(), Gradient()],
        metrics=[EnergyInMask()],
        truth="energy_in_mask",
        out=tmp_path,
        precision="plain",
        progress=False,
    )
    energy = found.truth[[each.name for each in found.evidence].index("energy_in_mask")]
    assert (energy.tau, energy.low, energy.high, energy.all_maps, energy.n) == (1, 1, 1, (1, 1, 1), 6)
    assert "τ with truth," in found.text(200)
    assert "nergy" in found.truth_title
    table = found.to_arrow().to_pylist()
    assert [row["truth"] for row in table] == [each.tau for each in found.truth]
    assert "τ with truth" in found.save(tmp_path / "page.html").read_text()


def test_a_truth_is_a_metric_by_name_settings_or_object():
    assert truth_of("grid_pointing,sees=cell") == truth_of({"name": "grid_pointing", "sees": "cell"})
    assert truth_of(EnergyInMask()) == EnergyInMask()
    with pytest.raises(UsageError, match="truth: expected a metric, its name or its settings, such as 'grid_pointing', got a int"):
        truth_of(3)
