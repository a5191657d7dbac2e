"""Retrained networks in a report: accuracies over networks, and paired differences from chance."""

import numpy as np
import pytest

from heatproof.report.retrainings import Retrainings, read_retrainings, retraining_tables
from heatproof.store.manifest import Manifest, MethodEntry, MetricEntry, ModelEntry

METRIC = MetricEntry.model_construct(name="roar", label="ROAR", title="remove and retrain", settings={})
KEY = METRIC.settings_key
RANDOM = np.array([[0.9, 0.92, 0.91], [0.8, 0.82, 0.81]])
FOUND = Retrainings(
    METRIC, ("0.1", "0.5"), np.array([0.95, 0.96, 0.97]), {"A": RANDOM - [[0.1], [0.3]], "Random": RANDOM}, "Random"
)


def test_each_method_has_its_accuracies_and_its_differences_from_chance_network_by_network():
    (title, (heads, lines)), (_, (_, gaps)) = retraining_tables(FOUND)
    assert title == "ROAR: accuracy of 3 networks for each share"
    assert heads == ["0.1", "0.5", "mean"]
    assert [(label, cells[0].text) for label, cells in lines] == [
        ("unchanged images", "0.960"),
        ("A", "0.810"),
        ("Random", "0.910"),
    ]
    assert lines[2][1][0].sub == "[0.882, 0.932]"  # log-odds of 0.91 ± 4.303 · 0.01 / √3 / (0.91 · 0.09)
    assert [label for label, _ in gaps] == ["A"]
    assert [(cell.text, cell.sub) for cell in gaps[0][1]] == [
        ("−0.100", "[−0.100, −0.100], p < 0.001"),
        ("−0.300", "[−0.300, −0.300], p < 0.001"),
        ("−0.200", "[−0.200, −0.200], p < 0.001"),
    ]


def test_accuracies_that_differ_much_have_an_interval_between_0_and_1():
    networks = np.array([[0.1, 0.99, 1.0]])
    found = Retrainings(METRIC, ("0.1",), networks[0], {"A": networks, "Random": 1 - networks}, "Random")
    for (_, (_, lines)), least in zip(retraining_tables(found), (0, -1), strict=True):
        for _, cells in lines:
            low, high = (float(end.replace("−", "-")) for end in cells[0].sub.partition("]")[0][1:].split(", "))
            assert least <= low < high <= 1


def test_one_network_has_no_interval_and_no_test_and_so_has_a_run_without_chance():
    one = Retrainings(METRIC, ("0.1",), np.array([0.9]), {"A": np.array([[0.8]]), "Random": np.array([[0.9]])}, "Random")
    assert [[cells[0].sub for _, cells in lines] for _, (_, lines) in retraining_tables(one)] == [["", "", ""]]
    assert len([*retraining_tables(Retrainings(METRIC, ("0.1",), RANDOM[0], {"A": RANDOM[:1]}, None))]) == 1


def test_accuracies_of_several_batches_are_weighted_by_their_images():
    def row(method, n, unchanged, changed):
        details = f'{{"accuracies":{{"0.1":[{changed}],"unchanged":[{unchanged}]}},"epochs":2}}'
        return {"model": "m", "method": method, "metric": "roar", "metric_settings": KEY, "n": n, "details": details}

    class Rows:
        def query(self, _sql, units=None):
            return self

        def to_pylist(self):
            return [row("a", 3, 1.0, 0.5), row("a", 1, 0.6, 0.1), row("c", 3, 1.0, 0.9), row("c", 1, 0.6, 0.9)]

    methods = tuple(MethodEntry(key=key, label=key.upper(), chance=key == "c") for key in "abc")
    manifest = Manifest.model_construct(methods=methods, metrics=(METRIC,))
    model = ModelEntry.model_construct(name="m", digest="")
    (found,) = read_retrainings(Rows(), manifest, model)
    assert found.unchanged == pytest.approx([0.9])
    assert found.accuracies["A"] == pytest.approx(np.array([[0.4]]))
    assert (list(found.accuracies), found.chance, found.shares) == (["A", "C"], "C", ("0.1",))
