"""The tables of the page about planted marks, from the numbers that a report left."""

import csv
import re

import pytest

from benchmarks.debugging import RESULTS, collect, tables
from heatproof.report.tables import DETECTION_COLUMNS


@pytest.fixture
def made(tmp_path):
    """The tables of a run with two trainings of two networks."""
    areas = {
        ("Gradient", "0 %"): (0.5, 0.9),
        ("Gradient", "100 %"): (0.99, 1.0),
        ("Edges", "0 %"): (0.5, 0.5),
        ("Edges", "100 %"): (0.5, 0.5),
    }
    (tmp_path / "run" / "tables").mkdir(parents=True)
    with (tmp_path / "run" / "tables" / "detections.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, DETECTION_COLUMNS)
        table.writeheader()
        for (method, recipe), values in areas.items():
            for n, area in enumerate(values, start=1):
                facts = {"verdict": "relies on it" if recipe == "100 %" else "no difference", "control": method == "Edges", "n": 9}
                accuracies = {"right": 0.9, "right_without": 0.4 + 0.1 * n}
                numbers = {"area": area, "area_low": area - 0.1, "area_high": 1, "rate": area, "seen": 0, "detects": area > 0.95}
                table.writerow({"model": f"{recipe}, {n}", "recipe": recipe, "method": method, **facts, **accuracies, **numbers})
    collect({"number": tmp_path / "run"}, tmp_path / "debugging.json")
    collect({}, tmp_path / "debugging.json")  # what is known stays
    return tables(tmp_path / "debugging.json")


def test_a_cell_is_the_mean_over_trainings_with_an_interval_within_its_bounds(made):
    heads, (accuracy, difference, detected, gradient, edges) = made["number-areas"]
    assert heads == ["map", "0 %", "100 %"]
    assert accuracy[1] == "0.900 → 0.550 (no difference in 2 of 2)"
    assert re.fullmatch(r"0.350 \[−0.\d+, 0.\d+\]", difference[1])
    assert detected == ["methods that detect it on all trainings", "0 of 1", "1 of 1"]
    assert re.fullmatch(r"0.70 \[0.00, 1.00\]", gradient[1])
    assert re.fullmatch(r"\*\*0.99\*\* \[0.\d\d, 1.00\], 2 of 2", gradient[2])
    assert edges == ["*Edges*", "0.50 [0.50, 0.50]", "0.50 [0.50, 0.50]"]
    assert made["number-seen"][0] == ["map", "rate, 0 %", "rate, 100 %", "seen, 0 %", "seen, 100 %"]


def test_no_interval_of_the_page_reaches_beyond_what_a_share_can_be():
    cells = [cell for _, rows in tables(RESULTS).values() for row in rows if row[0] != "difference" for cell in row[1:]]
    ends = [float(end) for cell in cells for pair in re.findall(r"\[(\S+), (\S+)\]", cell) for end in pair]
    assert len(ends) > 400
    assert 0 <= min(ends) <= max(ends) <= 1
