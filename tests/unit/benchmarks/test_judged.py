"""The study of metrics: its tables from scores whose truth is known, its metrics, and its file of scores."""

import json

import numpy as np

from benchmarks.judged import CONTROLS, METHODS, STAGES, passes_a_map
from benchmarks.judged_tables import EARLIER, EARLIER_OVER_EDGES, LOWER, PARTS, RESULTS, collect, read, tables
from heatproof.core.records import Direction
from heatproof.methods import Method
from heatproof.metrics.metric import Metric


def test_less_is_better_by_the_tables_where_it_is_by_the_metric():
    settings = {label: each for stage in STAGES.values() for label, each in stage.items()}
    assert set(LOWER) == {label for label, each in settings.items() if Metric.from_dict(each).direction == Direction.LOWER}


def test_every_map_and_metric_of_the_study_exists_and_every_earlier_number_has_a_metric():
    labels = {label for stage in STAGES.values() for label in stage}
    assert {metric for metric, _ in PARTS.values()} <= labels
    assert set(EARLIER) | set(EARLIER_OVER_EDGES) <= labels | set(PARTS)
    assert all(isinstance(Metric.from_dict(each), Metric) for stage in STAGES.values() for each in stage.values())
    assert all(Method.from_dict(settings).to_dict() for settings in {**METHODS, **CONTROLS}.values())
    assert passes_a_map(STAGES["regions"]["SRG 32 px, uniform"]) == 2 + 2 * 24


def test_tables_hold_effect_sizes_of_known_scores(tmp_path):
    rng, lines = np.random.default_rng(0), []
    level = {**dict.fromkeys(METHODS, 2.0), **dict.fromkeys(CONTROLS, 0.0)}
    for metric in ("SRG 32 px, uniform", "AUPC as published"):
        sign = -1 if metric.startswith("AUPC") else 1
        for image in range(200):
            values = {label: sign * (mean + float(rng.normal())) for label, mean in level.items()}
            lines.append(json.dumps({"metric": metric, "image": image, "values": values}))
    (tmp_path / "efficientnet_lite0.jsonl").write_text("\n".join([*lines, '{"metric": "cut o']))
    assert len(read(tmp_path / "efficientnet_lite0.jsonl")) == 400
    collect(tmp_path, {"SRG 32 px, uniform": 50.0, "AUPC as published": 62.0}, tmp_path / "judged.json")
    made = tables(tmp_path / "judged.json")
    for row in made["chance-efficientnet_lite0"][1]:
        assert row[1] == "200"
        assert all(1.1 < float(cell.split()[0]) < 1.75 for cell in row[2:8])  # 2 / √2
        low, high = (float(end.replace("−", "-")) for end in row[8].partition("[")[2].rstrip("]").split(", "))
        assert low < 0.3
        assert high > -0.3
    assert made["chance-squeezenet1_1"][1] == []
    assert [row[2] for row in made["worth"][1]] == ["62", "50"]


def test_every_metric_of_the_page_has_forty_photographs_and_a_part_is_that_of_its_gain():
    complete = {metric: set(counts) for metric, *counts in tables(RESULTS)["complete"][1]}
    assert {metric for metric, counts in complete.items() if counts != {"40"}} == set()
    for found in json.loads(RESULTS.read_text("utf-8")).values():
        gain, most, least = (
            found[name]["scores"]["0"] for name in ("pixel SRG, blurred", "deletion, blurred", "insertion, blurred")
        )
        for label in METHODS:  # to keep what is most relevant last is to insert it first
            assert abs(gain[label] - (least[label] - most[label])) < 2e-3
