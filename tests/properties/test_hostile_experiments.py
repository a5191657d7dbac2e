"""Experiments that anybody may have written: each is accepted, or refused by an error of this library in one line."""

import random
from collections import Counter

import pytest

from heatproof.core.errors import HeatproofError
from heatproof.evaluation.experiment import Experiment
from tests.hostile.mutations import changed_entries

WHOLE = {
    "name": "trial",
    "title": "A trial",
    "seeds": [0, 1],
    "batch": 2,
    "target": "label",
    "precision": "plain",
    "memory": "2GB",
    "dataset": {"name": "photos", "count": 4},
    "models": [{"name": "toy", "architecture": "cnn", "output": {"name": "probability"}}],
    "methods": [
        {"name": "gradient", "label": "Gradient"},
        {"name": "smooth_grad", "noise": {"sigma": 0.1}, "grid": {"samples": [2, 4]}},
        {"name": "integrated_gradients", "baseline": "uniform", "quadrature": {"steps": 4}},
    ],
    "metrics": [
        {"name": "pixel_flipping", "steps": 4, "primary": True},
        {"name": "similarity_to", "reference": "Gradient", "label": "order"},
    ],
    "stop": {"against": "all", "margin": 0.5, "looks": 3},
    "sweeps": [{"title": "S", "method": "smooth_grad", "along": "samples"}],
    "claims": [{"says": "c", "metric": "pixel_flipping", "below": ["Gradient"], "above": ["Gradient"]}],
    "tables": [{"title": "T", "methods": ["Gradient"]}],
}
VALUES = (
    *(None, 0, -1, 1, 10**9, 10**30, 1e308, float("nan"), float("inf"), -0.0, True, False, 1.5),
    *("", "x", "gradient", "a" * 500, "../../etc", "<script>", "\x00", "é", "name", "1", "a,b=c", "line\nline"),
    *([], [1], [[]], [{"name": "gradient"}], {}, {"name": "gradient"}, {"name": {"a": 1}}, {"a": {"b": {"c": [1, 2]}}}),
)
KEYS = ("x", "name", "label", "seed", "batch", "stop", "steps", "noise", "grid", "output", "a.b")


@pytest.mark.parametrize("part", range(4))
def test_ten_thousand_mutations_are_accepted_or_refused_in_one_line(part):
    rng, outcomes = random.Random(part), Counter()
    for _ in range(2_500):
        message = refusal(changed_entries(WHOLE, rng, VALUES, KEYS))
        outcomes[message is None] += 1
        assert message is None or ("\n" not in message and len(message) <= 900), message
    assert min(outcomes.values()) > 100
    assert len(outcomes) == 2


def refusal(experiment):
    """The message by which an experiment is refused; None if it is accepted."""
    try:
        Experiment.parse(experiment)
    except HeatproofError as error:
        return str(error)
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}, of {experiment}") from error
    return None


@pytest.mark.parametrize(
    ("where", "value"),
    [("methods", [{"name": {"a": 1}}]), ("methods", [{"name": "gradient", "label": ["a"]}]), ("dataset", "a" * 500)],
)
def test_what_once_ended_in_a_traceback_is_refused(where, value):
    with pytest.raises(HeatproofError):
        Experiment.parse({**WHOLE, where: value})
