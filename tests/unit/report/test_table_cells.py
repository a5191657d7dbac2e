from heatproof.core.formatting import percent
from heatproof.report.manifest import Work
from heatproof.report.table_cells import provenance


def test_how_rows_were_computed_is_said_with_its_measured_error():
    chosen = {"precision": "exact", "label": "folded", "speedup": 2.04, "map_error": 0.0023}
    pairs = dict(provenance({"models": [{"name": "lite0", "acceleration": chosen}, {"name": "old"}]}))
    assert pairs == {"Rows of lite0": "exact: folded; 2.0 times the speed of plain rows; gradient maps differ by at most 0.0023"}


def test_rows_of_which_only_a_part_was_computed_are_told():
    pairs = dict(provenance({}, [Work("lite0", "perturbation_curve", 12_000, 7_572.0)]))
    told = f"12,000 asked for; {percent(0.631)} of their operations computed, those that what was changed can reach"
    assert pairs == {"Rows of perturbation_curve on lite0": told}
