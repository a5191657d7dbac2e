"""The tables of the page about removing and retraining, from the accuracies that a run left."""

import json
import re

from benchmarks.retraining import RESULTS, tables


def test_accuracies_and_differences_from_chance_have_intervals_within_their_bounds(tmp_path):
    def metric(label, networks):
        methods = {"Gradient": [networks], "Random map": [[0.5] * len(networks)]}
        return {"metric": label, "shares": ["0.5"], "chance": "Random map", "unchanged": networks, "methods": methods}

    content = {"controls": ["Random map"], "metrics": [metric("ROAR", [0.2, 0.9, 1.0]), metric("KAR", [0.8])]}
    (tmp_path / "retraining.json").write_text(json.dumps(content))
    made = tables(tmp_path / "retraining.json")
    heads, rows = made["accuracies"]
    assert heads == ["map", "ROAR 50 %", "KAR 50 %"]
    assert rows[1][0] == "Gradient"
    assert re.fullmatch(r"0.700 \[0.0\d\d, 0.9\d\d\]", rows[1][1])
    assert rows[1][2] == "0.800"
    assert rows[2][0] == "*Random map*"
    assert made["gaps"][0] == ["minus random map", "50 %", "mean"]
    assert re.fullmatch(r"0.200 \[−0.\d+, 0.\d+\], p 1.00", made["gaps"][1][0][1])


def test_no_interval_of_the_page_reaches_beyond_what_an_accuracy_can_be():
    cells = [cell for row in tables(RESULTS)["accuracies"][1] for cell in row[1:]]
    ends = [float(end) for cell in cells for pair in re.findall(r"\[(\S+), (\S+)\]", cell) for end in pair]
    assert len(ends) == 60
    assert 0 <= min(ends) <= max(ends) <= 1
