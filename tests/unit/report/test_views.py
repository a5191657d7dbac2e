from heatproof.report.views import provenance


def test_how_rows_were_computed_is_said_with_its_measured_error():
    chosen = {"precision": "exact", "label": "folded", "speedup": 2.04, "map_error": 0.0023}
    pairs = dict(provenance({"models": [{"name": "lite0", "acceleration": chosen}, {"name": "old"}]}))
    assert pairs == {"Rows of lite0": "exact: folded; 2.0 times the speed of plain rows; gradient maps differ by at most 0.0023"}
