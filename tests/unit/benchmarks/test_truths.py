"""The study of metrics against the truth: its tables from scores whose order is known, and its file of scores."""

import json

import numpy as np
import pytest

from benchmarks.truth_tables import RESULTS, ROOMS, TRUTH, tables, verdict
from benchmarks.truths import ROOMS as MADE
from benchmarks.truths import experiment
from heatproof.verdict.truth import TruthAgreement


@pytest.mark.parametrize("room", MADE)
def test_every_room_is_an_experiment_with_a_truth(room):
    made = experiment(room, 40)
    assert [entry.label for entry in made.metric_entries()][-1] == TRUTH
    assert sum(not entry.method.control for entry in made.method_entries()) >= 5
    assert room in ROOMS


def test_tables_show_which_metrics_order_the_methods_as_the_truth_does(tmp_path):
    rng, levels = np.random.default_rng(0), {"a": 3.0, "b": 2.0, "c": 1.0, "Edge map": 0.0}

    def scores(sign):
        return {label: [sign * (level + 0.1 * float(rng.normal())) for _ in range(20)] for label, level in levels.items()}

    room = {
        "images": 20,
        "better": {TRUTH: "higher", "right": "lower", "wrong": "higher"},
        "controls": ["Edge map"],
        "scores": {TRUTH: scores(1), "right": scores(-1), "wrong": scores(-1)},
    }
    accuracies = {label: [[0.9 - 0.1 * level, 0.91 - 0.1 * level, 0.88 - 0.1 * level]] for label, level in levels.items()}
    retrained = {"shares": ["0.1"], "unchanged": [0.95, 0.96, 0.94], "methods": accuracies}
    (tmp_path / "truths.json").write_text(json.dumps({"bam": room, "number": room | {"accuracies": retrained}}))
    made = tables(tmp_path / "truths.json")
    assert made["agreement"][1] == [
        ["right", "1.00 [1.00, 1.00]", "1.00 [1.00, 1.00]", "agrees in 2 of 2"],
        ["ROAR", "—", "1.00 [1.00, 1.00]", "agrees in 1 of 1"],
        ["wrong", "−1.00 [−1.00, −1.00]", "−1.00 [−1.00, −1.00]", "agrees in 0 of 2, contradicts in 2"],
    ]
    assert [row[0] for row in made["true-order"][1]] == [*levels]


def test_a_verdict_counts_the_rooms():
    yes, open_, no = (TruthAgreement(0.5, low, high, (0, 0, 0), 9) for low, high in ((0.1, 0.9), (-0.1, 0.9), (-0.9, -0.1)))
    assert verdict([yes, yes]) == "agrees in 2 of 2"
    assert verdict([yes, open_]) == "agrees in 1 of 2"
    assert verdict([yes, no]) == "agrees in 1 of 2, contradicts in 1"


def test_the_page_has_a_row_for_what_was_measured():
    found = json.loads(RESULTS.read_text("utf-8"))
    assert {"AUPC", "SRG of regions", "deletion", "single deletion"} <= {row[0] for row in tables(RESULTS)["agreement"][1]}
    assert set(found) <= set(ROOMS)
