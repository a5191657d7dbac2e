"""Which methods show a planted mark, from scores whose truth is known."""

import re
from dataclasses import replace

import numpy as np

from heatproof.core.records import Direction
from heatproof.report.detections import detection_table, measured_detections
from heatproof.report.score_matrix import ModelScores, ScoreMatrix
from heatproof.store.manifest import ImageEntry, MethodEntry, MetricEntry, ModelEntry

N = 30
METRIC = MetricEntry(name="mark_detection", label="mark detection", title="Mark detection", direction=Direction.HIGHER)
METHODS = tuple(
    MethodEntry(key=label, name=label.lower(), label=label, control=label == "Edges", chance=False, settings={})
    for label in ("Shows", "Sees networks", "Blind", "Edges")
)


def scores(label: str, energies: list[float], right_without: int) -> ModelScores:
    """The scores of a network that is right on all images with a mark and on the first ones without, with one energy a method."""
    rng = np.random.default_rng(len(label))
    base = 0.2 + 0.02 * rng.normal(size=(len(METHODS), N))
    marked = base + np.array(energies)[:, None] + 0.02 * rng.normal(size=base.shape)
    marked[3] = base[3]
    parts = {
        "marked": marked,
        "unmarked": base,
        "seen": (marked > 0.4).astype(float),
        "right": np.ones_like(base),
        "right_without": np.broadcast_to(np.arange(N) < right_without, base.shape).astype(float),
    }
    model = ModelEntry(name=label, digest=label, settings={"dataset": {"strength": 0.0}} if right_without == N else {})
    images = tuple(ImageEntry(digest=str(i), name=str(i), label=0, label_name="") for i in range(N))
    values = (marked > base) + 0.5 * (marked == base)
    matrix = ScoreMatrix(model, METRIC, METHODS, images, values, np.full_like(values, np.nan), parts, None)
    return ModelScores(model, (matrix,), {}, {})


PLAIN, HALF, WHOLE = (
    scores("no mark", [0.0, 0.3, 0.0, 0.0], N),
    scores("half", [0.1, 0.3, 0.0, 0.0], 20),
    scores("whole", [0.3, 0.3, 0.0, 0.0], 5),
)


def test_a_method_detects_a_mark_if_its_energy_is_more_than_on_networks_that_do_not_depend_on_it():
    found = measured_detections([PLAIN, HALF, WHOLE])
    assert found is not None
    assert [each.relies for each in found.networks] == [False, True, True]
    detects = {method.label: [each.detects for each in found.of(method.label, found.networks)] for method in METHODS}
    assert detects == {
        "Shows": [False, True, True],
        "Sees networks": [False, False, False],  # it shows as much to a network that does not depend on the mark
        "Blind": [False, False, False],
        "Edges": [False, False, False],
    }
    assert found.finding == (
        "Networks that rely on the mark: half (accuracy 1.000 with it, 0.667 without); and "
        "whole (accuracy 1.000 with it, 0.167 without). The mark is detected on all of these by Shows."
    )
    edges = found.energies["Edges", "whole"]
    assert (edges.detection.area.value, edges.gain.difference, float(edges.seen.mean)) == (0.5, 0, 0)
    assert float(found.energies["Shows", "whole"].seen.mean) == 1


def test_that_no_method_detects_a_mark_is_a_finding_as_is_that_no_network_depends_on_it():
    found = measured_detections([PLAIN, HALF, scores("blind", [-0.1, -0.1, 0.0, 0.0], 0)])
    assert found is not None
    assert found.finding.endswith("No method detects the mark on all of these; Shows detects it on the most, 1 of 2.")
    nothing = measured_detections([PLAIN, scores("whole", [0.0, 0.0, 0.0, 0.0], 0)])
    assert nothing is not None
    assert nothing.finding.endswith("No method detects the mark on all of these; no method detects it on any.")
    alone = measured_detections([PLAIN])
    assert alone is not None
    assert alone.finding == "No network relies on the mark, by its accuracy: there is nothing to detect."


def test_a_network_that_the_mark_disturbs_is_no_measure_of_what_is_shown_without_a_reason():
    disturbed = scores("new to it", [0.3, 0.3, 0.0, 0.0], N)
    parts = disturbed.matrices[0].components
    worse = replace(disturbed.matrices[0], components={**parts, "right": np.zeros_like(parts["right"])})
    found = measured_detections([PLAIN, replace(disturbed, matrices=(worse,)), WHOLE])
    assert found is not None
    assert [each.verdict for each in found.networks] == ["no difference", "is disturbed by it", "relies on it"]
    assert found.energies["Shows", "new to it"].detects
    assert found.energies["Shows", "whole"].detects


def test_the_table_has_a_line_for_the_accuracy_and_one_for_each_method():
    found = measured_detections([PLAIN, WHOLE])
    assert found is not None
    heads, lines = detection_table(found)
    assert heads == ["no mark", "whole"]
    assert [name for name, _ in lines] == ["accuracy with → without the mark", *(method.label for method in METHODS)]
    assert [(cell.text, cell.sub) for cell in lines[0][1]] == [
        ("1.000 → 1.000", "no difference"),
        ("1.000 → 0.167", "relies on it"),
    ]
    assert lines[1][1][1].sub.splitlines()[1:] == ["detected", "rate 100 %, seen 100 %"]
    assert [cell.mark for cell in lines[1][1]] == ["", "detected"]
    assert lines[4][1][1].text == "0.50"


def test_trainings_of_one_recipe_share_a_column_with_an_interval_over_trainings():
    trained = [
        replace(scores(label, energies, right), model=ModelEntry(name=label, digest=label, recipe="whole"))
        for label, energies, right in [
            ("whole, training 1", [0.3, 0.3, 0.0, 0.0], 5),
            ("whole, training 2", [0.02, 0.3, 0.0, 0.0], N),
        ]
    ]
    trained = [replace(each, matrices=(replace(each.matrices[0], model=each.model),)) for each in trained]
    found = measured_detections([PLAIN, *trained])
    assert found is not None
    assert {recipe: len(networks) for recipe, networks in found.recipes.items()} == {"no mark": 1, "whole": 2}
    heads, lines = detection_table(found)
    assert heads == ["no mark", "whole"]
    (gap,) = re.findall(r"The difference is 0.417 \[(\S+), (\S+)\] over 2 trainings", lines[0][1][1].title)
    assert -1 <= float(gap[0].replace("−", "-")) < 0.417 < float(gap[1]) <= 1
    assert [(cell.text, cell.sub) for cell in lines[0][1]][1] == (
        "1.000 → 0.583",
        "relies on it in 1 of 2\nno difference in 1 of 2",
    )
    areas = [found.energies["Shows", each.model.label].detection.area.value for each in trained]
    cell = lines[1][1][1]
    assert cell.text == f"{sum(areas) / 2:.2f}"
    assert areas[1] < 0.95
    assert cell.sub.startswith("[0.00, 1.00]")  # two trainings that differ say little of a third, but an area is between 0 and 1
    assert cell.sub.splitlines()[1].startswith("detected in ")
    assert "whole (accuracy 1.000 with it, 0.167 without in 1 of 2 trainings)" in found.finding


def test_a_run_without_marks_has_none():
    assert measured_detections([ModelScores(PLAIN.model, (), {}, {})]) is None
