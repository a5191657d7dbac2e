import numpy as np
import pytest

from heatproof.core.errors import SettingsError
from heatproof.core.records import Record
from heatproof.core.settings import canonical_json, content_hash
from heatproof.data.base import Item
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Network, plan
from heatproof.evaluation.schedule import Schedule
from heatproof.store import Run

ITEMS = [Item(name=f"{i}.png", digest=f"{i:032x}") for i in range(30)]
BASE = {
    "name": "trial",
    "dataset": {"name": "photos"},
    "models": [{"name": "efficientnet_lite0"}, {"name": "efficientnet_lite0", "output": "probability"}],
    "methods": [{"name": "gradient"}, {"name": "input_x_gradient"}, {"name": "random_map"}, {"name": "edge_map"}],
    "metrics": [{"name": "repeatability"}, {"name": "total_variation_curve", "primary": True}],
    "seeds": [0, 1],
    "batch": 3,
    "stop": {"against": "chance", "looks": 4},
}
LOOKS = (9, 15, 21, 30)


def score(unit, item, gain):
    noise = np.random.default_rng(int(content_hash([unit.method, item.digest, unit.seed]), 16)).normal()
    return noise + gain * (unit.method["name"] in ("gradient", "input_x_gradient"))


def write(store, unit, gain):
    """Scores of one unit: noise, and a gain for the methods that are no controls."""
    records = [
        Record(
            unit=unit.key,
            model="net",
            method=content_hash(unit.method),
            method_label=unit.label,
            method_settings=canonical_json(unit.method),
            metric=metric["name"],
            metric_settings=canonical_json(metric),
            direction="lower",
            image=item.digest,
            image_name=item.name,
            target=0,
            clean_score=1.0,
            clean_probability=1.0,
            seed=unit.seed,
            value=score(unit, item, gain) if metric["name"] == "total_variation_curve" else 0.0,
            forward_rows=1,
            backward_rows=1,
            seconds=0.0,
        )
        for item in unit.items
        for metric in unit.metrics
    ]
    store.write_part(unit.key, records)


def schedule_of(folder, **changes):
    experiment = Experiment.parse({**BASE, **changes})
    units = plan(experiment, ITEMS, [Network("w", {}, (3, 8, 8))] * len(experiment.models))
    return Schedule(experiment, ITEMS, units, {"w": "net"}, Run.create(folder))


def follow(folder, gain, most=10**9, **changes):
    """Compute round by round, at most so many units; what is left of the run, and how many were computed."""
    schedule, computed = schedule_of(folder, **changes), 0
    for pending in schedule.rounds():
        for unit in pending:
            if computed == most:
                return schedule, computed
            write(schedule._store, unit, gain)
            computed += 1
    return schedule, computed


def test_without_a_rule_all_units_are_one_round(tmp_path):
    schedule = schedule_of(tmp_path, stop=None)
    assert [list(units) for units in schedule.rounds()] == [list(schedule.units)]
    assert schedule.stop_entry() is None


def test_a_clear_difference_ends_each_model_at_its_first_look(tmp_path):
    schedule, computed = follow(tmp_path, 6.0)
    assert schedule.looks == LOOKS
    assert [(s.output, s.images, s.of) for s in schedule.stopped] == [("logit", 9, 30), ("probability", 9, 30)]
    assert "2 different" in schedule.stopped[0].why
    assert "0.0125 at each of 4 looks" in schedule.stopped[0].why
    assert computed == len(schedule.units) == 2 * (9 // 3) * 2 * 4
    assert schedule.stop_entry().stopped[0].images == 9


def test_no_difference_runs_to_the_end(tmp_path):
    schedule, computed = follow(tmp_path, 0.0)
    assert schedule.stopped == []
    assert computed == len(schedule.units) == 2 * 10 * 2 * 4


def test_models_stop_apart(tmp_path):
    """The second model gets scores without a gain."""
    schedule = schedule_of(tmp_path)
    for pending in schedule.rounds():
        for unit in pending:
            write(schedule._store, unit, 6.0 if unit.output["name"] == "logit" else 0.0)
    assert [s.output for s in schedule.stopped] == ["logit"]


def test_controls_need_not_be_told_apart_from_each_other(tmp_path):
    for against, pairs in {"chance": 3, "controls": 5, "all": 6}.items():
        schedule, _ = follow(tmp_path / against, 6.0, stop={"against": against, "looks": 4})
        assert len(schedule._pairs) == pairs
        assert bool(schedule.stopped) == (against != "all")  # the two methods tie


def test_a_margin_ends_a_run_whose_maps_are_practically_equal(tmp_path):
    schedule, _ = follow(tmp_path / "wide", 0.0, stop={"against": "chance", "looks": 4, "margin": 3.0})
    assert "0 different, 2 equal within 3" in schedule.stopped[0].why
    schedule, _ = follow(tmp_path / "narrow", 0.0, stop={"against": "chance", "looks": 4, "margin": 0.1})
    assert schedule.stopped == []


@pytest.fixture(scope="module")
def uncut(tmp_path_factory):
    """What is left of a run that nothing cut, and how many units it computed, by the gain of its methods."""
    return {gain: follow(tmp_path_factory.mktemp("whole") / "run", gain) for gain in (1.6, 6.0)}


@pytest.mark.parametrize("cut", [0, 1, 17, 24, 25, 47])
@pytest.mark.parametrize("gain", [1.6, 6.0])
def test_a_run_cut_anywhere_and_resumed_stops_where_it_would_have(tmp_path, uncut, cut, gain):
    whole, computed = uncut[gain]
    assert whole.stopped
    follow(tmp_path / "cut", gain, most=cut)
    resumed, rest = follow(tmp_path / "cut", gain)
    assert resumed.stopped == whole.stopped
    assert [unit.key for unit in resumed.units] == [unit.key for unit in whole.units]
    assert cut + rest == computed
    assert follow(tmp_path / "cut", gain)[1] == 0


def test_a_rule_given_to_a_finished_run_leaves_out_what_it_would_not_have_computed(tmp_path):
    follow(tmp_path, 6.0, stop=None)
    schedule, computed = follow(tmp_path, 6.0)
    assert computed == 0
    assert [s.images for s in schedule.stopped] == [9, 9]


def test_units_that_failed_are_waited_for_no_longer(tmp_path):
    """Of the gradient nothing was ever scored: the other method decides."""
    schedule = schedule_of(tmp_path)
    for pending in schedule.rounds():
        for unit in pending:
            if unit.method["name"] != "gradient":
                write(schedule._store, unit, 6.0)
    assert "1 different" in schedule.stopped[0].why


def test_a_run_of_which_nothing_was_scored_is_not_decided(tmp_path):
    schedule = schedule_of(tmp_path)
    assert len(list(schedule.rounds())) == 2 * 4
    assert schedule.stopped == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"stop": {"against": "everyone"}}, "against"),
        ({"stop": {"against": "chance", "look": 3}}, "known settings: against, margin, looks"),
        ({"stop": {"against": "chance", "margin": 0}}, "margin"),
        ({"methods": [{"name": "gradient"}, {"name": "edge_map"}]}, "expected a random_map among the methods"),
        ({"methods": [{"name": "gradient"}], "stop": {"against": "controls"}}, "expected a control among the methods"),
        ({"methods": [{"name": "gradient"}], "stop": {"against": "all"}}, "expected two methods"),
    ],
    ids=str,
)
def test_a_rule_that_could_decide_nothing_is_refused(changes, says):
    with pytest.raises(SettingsError, match=says):
        Experiment.parse({**BASE, **changes})
