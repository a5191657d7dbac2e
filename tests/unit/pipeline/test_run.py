"""`heatproof.run`: objects in Python, from a module and tensors to a run; what is computed anew; what is refused."""

import copy
import sys
from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import heatproof as hp
from heatproof.core import objects
from heatproof.core.errors import DataError, HeatproofError, ModelError, RunError, SettingsError, UsageError
from heatproof.evaluation import worker
from heatproof.evaluation.executors import SerialExecutor
from heatproof.evaluation.experiment import Experiment
from heatproof.methods import Gradient, IntegratedGradients, RandomMap
from heatproof.methods.base import Explanation, Method
from heatproof.models import Bounds, Model, Preprocessing, Probability
from heatproof.passes.counting import PassCount

METHODS, METRICS = ["gradient", "random_map"], ["sparseness"]
IMAGES = torch.linspace(0, 1, 4 * 192).sin().abs().view(4, 3, 8, 8)


class Net(nn.Module):
    def __init__(self, sharpness=1.0):
        super().__init__()
        self.sharpness, self.head = sharpness, nn.Linear(192, 3)

    def forward(self, x):
        return self.head(x.flatten(1)) * self.sharpness


class Counting:
    """An executor that counts the units that it computes."""

    def __init__(self):
        self.units, self.label = 0, "counting"

    def preparing(self, folder):
        return nullcontext()

    def begin(self):
        pass

    def compute(self, work, folder, rounds):
        for outcome in SerialExecutor().compute(work, folder, rounds):
            self.units += 1
            yield outcome


def network(seed=0, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Net(**settings)


def run(folder, report=False, **changes):
    given = {"model": network(), "bounds": (0, 1), "data": IMAGES, "methods": METHODS, "metrics": METRICS, "precision": "plain"}
    return hp.run(**(given | {"out": folder, "report": report, "progress": False} | changes))


def computed(folder, **changes):
    """How many units a run computes in a folder."""
    executor = Counting()
    run(folder, executor=executor, **changes)
    return executor.units


def test_a_module_and_tensors_become_a_run_with_a_report_a_verdict_and_tables(tmp_path):
    done = run(tmp_path / "run", report=True, class_names=("ant", "bee", "cat"), labels=[0, 1, 2, 0], title="Mine")
    assert done.report == tmp_path / "run" / "report.html"
    assert "Mine" in done.report.read_text()
    assert done.verdict.startswith("On these 4 images, Gradient has the highest (best) sparseness")
    assert done.verdict in repr(done)
    assert str(done.report) in repr(done)
    assert done.summary().select(["method_label", "n"]).to_pylist() == [
        {"method_label": "Gradient", "n": 4},
        {"method_label": "Random map", "n": 4},
    ]
    scores = done.scores()
    assert scores.num_rows == 8
    assert scores.column("image").to_pylist()[:4] == ["image 0", "image 1", "image 2", "image 3"]
    assert done.manifest().executor == "serial, in this process"
    assert repr(hp.Run(tmp_path / "run")) == repr(done)


def test_the_scores_of_a_run_are_those_of_the_metric_in_python(tmp_path):
    done = run(tmp_path, methods=["gradient"], metrics=[hp.metrics.PixelFlipping(steps=4, output=Probability())])
    model = hp.Model(network(), hp.Bounds.of(0, 1, channels=3))
    alone = hp.score(hp.metrics.PixelFlipping(steps=4, output=Probability()), model, IMAGES, "gradient")
    assert torch.allclose(torch.tensor(done.scores().column("value").to_pylist()), alone.values)


@pytest.mark.parametrize(
    ("changes", "units"),
    [
        ({}, 0),
        ({"model": copy.deepcopy(network())}, 0),
        ({"data": IMAGES.clone()}, 0),
        ({"class_names": ("a", "b", "c")}, 2),
        ({"model": network(seed=1)}, 2),
        ({"model": network(sharpness=2.0)}, 2),
        ({"data": IMAGES * 0.5}, 2),
        ({"methods": ["gradient", "random_map", "edge_map"]}, 1),
        ({"methods": ["gradient"]}, 0),
    ],
    ids=[
        "nothing",
        "a copy of the network",
        "a copy of the images",
        "names",
        "weights",
        "an attribute",
        "images",
        "a method",
        "less",
    ],
)
def test_only_what_changed_is_computed_anew(tmp_path, changes, units):
    assert computed(tmp_path) == 2
    assert computed(tmp_path, **changes) == units


def test_a_changed_line_of_a_network_or_of_a_method_is_computed_anew(tmp_path):
    class Scaled(Net):
        def forward(self, x):
            return super().forward(x) * self.factor()

        factor = staticmethod(lambda: 2.0)

    class Doubled(Method):
        def explain(self, case):
            return Explanation.plain(case.images * 2)

        def cost(self, image_shape):
            return PassCount()

    given = {"model": Scaled(), "methods": [Doubled()]}
    for cls in (Scaled, Doubled):
        cls.__module__ = "__main__"  # as in a notebook, where the source is that of the class alone
    assert computed(tmp_path, **given) == 1
    assert computed(tmp_path, **given) == 0
    Scaled.factor = staticmethod(lambda: 3.0)
    assert computed(tmp_path, **given) == 1
    Doubled.explain = lambda self, case: Explanation.plain(case.images * 3)
    assert computed(tmp_path, **given) == 1


def test_nothing_of_a_run_stays_in_the_process(tmp_path):
    run(tmp_path)
    assert objects._held == {}
    assert worker._model.cache_info().currsize == worker._batch.cache_info().currsize == 0


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (hp.Model(network(), hp.Bounds.of(0, 1, channels=3), name="mine"), ["mine"]),
        ({"a": hp.Model(network(), hp.Bounds.of(0, 1, channels=3)), "b": network(seed=1)}, ["a", "b"]),
        ({"name": "imported", "path": "torch.nn:Flatten", "preprocessing": {"side": 8, "resize": 8}}, ["torch.nn:Flatten"]),
        ("torch.nn:Flatten,start_dim=1,preprocessing={side=8,resize=8}", ["torch.nn:Flatten(start_dim=1)"]),
        (hp.Model(network(), hp.Bounds.of(0, 1, channels=3), output=lambda z, t: z[:, 0] - z[:, 1]), ["model"]),
    ],
    ids=["a model", "names", "a table", "a text", "an output that is a function"],
)
def test_a_model_is_given_in_many_ways(tmp_path, model, names):
    bare = isinstance(model, dict) and "b" in model
    done = run(tmp_path, model=model, bounds=(0, 1) if bare else None, methods=["random_map"])
    assert [entry.name for entry in done.manifest().models] == names


def test_an_output_of_the_model_is_the_one_that_is_explained(tmp_path):
    def difference(outputs, target):
        return outputs[:, 0] - outputs[:, 1]

    model = hp.Model(network(), hp.Bounds.of(0, 1, channels=3), output=difference)
    done = run(tmp_path, model=model, bounds=None, methods=["gradient"])
    unit = next(iter(done.done()))
    kept = done.map(unit, done.manifest().images[0].digest)
    assert np.allclose(kept, Gradient().attribute(model, IMAGES[:1]).values[0].numpy(), atol=1e-3)
    assert "difference" in done.manifest().models[0].output
    assert computed(tmp_path, model=model.with_(output=lambda z, t: z[:, 2]), bounds=None, methods=["gradient"]) == 1


def photograph(seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["folder", "path", "PIL", "pixels", "a list"])
def test_photographs_need_a_preprocessing_and_give_the_same_scores_however_they_come(tmp_path, kind):
    (tmp_path / "photos").mkdir()
    photograph().save(tmp_path / "photos" / "a.png")
    data = {
        "folder": tmp_path / "photos",
        "path": str(tmp_path / "photos" / "a.png"),
        "PIL": photograph(),
        "pixels": np.array(photograph())[None],
        "a list": [photograph()],
    }[kind]
    given = {"data": data, "methods": ["gradient"], "metrics": METRICS}
    with pytest.raises(ModelError, match=r"expected a model that says how a photograph becomes its input.*preprocessing="):
        run(tmp_path / "refused", **given)
    preprocessing = Preprocessing(side=8, resize=10, mean=(0.5,) * 3, std=(0.5,) * 3)
    done = run(tmp_path / "run", bounds=None, preprocessing=preprocessing, **given)
    model = hp.Model(network(), preprocessing.bounds)
    expected = hp.score("sparseness", model, preprocessing(photograph())[None], "gradient").values
    assert torch.allclose(torch.tensor(done.scores().column("value").to_pylist()), expected)


def test_methods_and_metrics_take_labels_and_objects_and_an_experiment_is_changed_in_parts(tmp_path):
    methods = {"mine": IntegratedGradients(quadrature={"steps": 2}), "chance": "random_map"}
    done = run(tmp_path / "a", methods=methods)
    assert [entry.label for entry in done.manifest().methods] == ["mine", "chance"]
    file = tmp_path / "trial.toml"
    file.write_text(
        'name = "trial"\nmethods = ["gradient", "smooth_grad,samples=2"]\nmetrics = ["sparseness"]\nprecision = "plain"'
    )
    done = hp.run(file, model=network(), bounds=(0, 1), data=IMAGES, out=tmp_path / "b", report=False, progress=False)
    assert [entry.label for entry in done.manifest().methods] == ["Gradient", "SmoothGrad (samples 2)"]
    experiment = Experiment.parse({"name": "e", "dataset": "digits", "models": ["toy:mlp"], "methods": METHODS, "metrics": METRICS})
    done = hp.run(experiment, methods=[RandomMap()], count=1, precision="plain", out=tmp_path / "c", report=False, progress=False)
    assert [entry.label for entry in done.manifest().methods] == ["Random map"]
    assert len(done.manifest().images) == 1


def test_labels_and_regions_of_tensors_are_used(tmp_path):
    regions = torch.zeros(4, 8, 8)
    regions[:, 2:5, 3:6] = 1
    regions[3] = torch.nan
    done = run(tmp_path, labels=torch.tensor([2, 1, 0, 2]), regions=regions, metrics=["energy_in_mask"], target="label")
    rows = [row for row in done.scores().to_pylist() if row["method"] == "Gradient" and not row["component"]]
    assert [row["target"] for row in rows] == [2, 1, 0, 2]
    alone = hp.score(
        "energy_in_mask", hp.Model(network(), hp.Bounds.of(0, 1, 3)), IMAGES, "gradient", target=[2, 1, 0, 2], regions=regions
    )
    assert torch.allclose(torch.tensor([row["value"] for row in rows]), alone.values, equal_nan=True)


def test_without_methods_and_metrics_defaults_are_compared_and_what_does_not_fit_is_said(tmp_path, caplog):
    done = run(tmp_path, methods=None, metrics=None, data=IMAGES[:1])
    assert [entry.name for entry in done.manifest().methods] == [
        *("gradient", "integrated_gradients", "smooth_grad", "lrp", "random_map", "edge_map"),
    ]
    assert [entry.name for entry in done.manifest().metrics] == [
        "pixel_flipping",
        "perturbation_curve",
        "random_logit",
        "sparseness",
    ]
    assert "grad_cam is left out: " in caplog.text
    assert done.scores().column("value").null_count == 0


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"bounds": None}, UsageError, "a bare nn.Module does not say.*give bounds="),
        ({"model": None, "bounds": None}, UsageError, "model: expected a Model, an nn.Module with bounds, or an import path"),
        ({"data": None}, UsageError, "data: expected a folder of images, a tensor"),
        ({"model": 3}, UsageError, "model: expected a Model, an nn.Module with bounds.*got int"),
        (
            {"model": hp.Model(network(), hp.Bounds.of(0, 1, 3))},
            UsageError,
            "bounds: expected an nn.Module beside them, got a Model",
        ),
        ({"model": "toy:mlp"}, UsageError, "bounds: expected an nn.Module beside them, got the name of a network"),
        ({"model": "nosuch:build", "bounds": None}, ModelError, "expected a module nosuch in"),
        (
            {"data": IMAGES.permute(0, 2, 3, 1)},
            HeatproofError,
            r"channels first, got \[4, 8, 8, 3\]; use images.permute\(0, 3, 1, 2\)",
        ),
        (
            {"bounds": hp.Bounds.of(0, 1, channels=1)},
            DataError,
            r"expected images \[1, h, w\], as many channels as the model's bounds",
        ),
        ({"data": torch.zeros(5)}, HeatproofError, r"expected \[n, c, h, w\], a table \[n, f\] or volumes.*for signals give list"),
        ({"data": "nosuch/"}, DataError, "found neither a file nor a folder"),
        ({"methods": [Gradient]}, UsageError, r"got the class Gradient; write Gradient\(\)"),
        ({"methods": ["gradeint"]}, UsageError, "Did you mean gradient"),
        ({"metrics": [Gradient()]}, UsageError, "metric: expected one, its name or its settings"),
        ({"sedes": [1]}, SettingsError, "known settings: .*seeds"),
        ({"executor": "dask"}, SettingsError, "executor: expected serial, local, shared or ray"),
        ({"workers": 2}, UsageError, 'workers: expected executor="local" beside it'),
        ({"labels": [1]}, HeatproofError, "labels: expected one for each of the 4 images, got 1"),
        ({"experiment": "nosuch.toml"}, SettingsError, "expected an experiment file"),
        ({"model": {"a": network(), "b": 3}}, UsageError, "got int"),
        ({"model": [network(), network(seed=1)]}, ModelError, "expected networks with different names"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line_with_the_remedy(tmp_path, changes, error, message):
    with pytest.raises(error, match=message) as refusal:
        run(tmp_path / "run", **changes)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "run").exists()


def test_units_that_fail_are_an_error_that_names_the_first_and_the_report(tmp_path):
    with pytest.raises(
        RunError, match=r"2 units can be computed, 1 failed, first Grad-CAM on Net, .*; the report .*report.html covers"
    ):
        run(tmp_path, methods=["grad_cam", "gradient"], report=True)
    assert len(hp.Run(tmp_path).failures()) == 1


class Unpicklable(Net):
    def __init__(self):
        super().__init__()
        self.act = lambda x: x


def local_class():
    class Inner(Net):
        pass

    return Inner()


@pytest.mark.parametrize(
    "make", [Unpicklable, local_class, partial(hp.Model, Net(), hp.Bounds.of(0, 1, 3), output=lambda z, t: z[:, 0])]
)
def test_what_cannot_be_pickled_is_refused_by_local_processes_before_any_starts(tmp_path, make):
    model = make()
    bounds = None if isinstance(model, hp.Model) else (0, 1)
    with pytest.raises(
        UsageError, match=r'executor="local": .*the model .* cannot be pickled \(.*\); use executor="serial", or name'
    ):
        run(tmp_path, model=model, bounds=bounds, executor="local", workers=1)
    assert run(tmp_path, model=model, bounds=bounds).failures() == []


def test_a_class_of_an_interactive_session_is_refused_by_local_processes(tmp_path, monkeypatch):
    session = type(sys)("__main__")
    exec("from torch import nn\nclass Typed(nn.Flatten):\n    pass", session.__dict__)
    monkeypatch.setitem(sys.modules, "__main__", session)
    with pytest.raises(UsageError, match="Typed is defined in an interactive session"):
        run(tmp_path, model=session.Typed(), executor="local", workers=1)


def test_a_process_that_imports_the_script_is_told_to_guard_its_call(monkeypatch):
    from heatproof.pipeline import run as module  # the function; its module is below

    name = sys.modules[module.__module__]
    monkeypatch.setattr(name, "current_process", lambda: type("Child", (), {"_inheriting": True}))
    with pytest.raises(UsageError, match="put the call under `if __name__"):
        hp.run()


def test_objects_reach_local_processes_and_give_the_same_scores(tmp_path):
    methods = [Gradient(), "random_map"]
    local = run(tmp_path / "local", executor="local", workers=1, methods=methods, data=[(image, 1) for image in IMAGES])
    serial = run(tmp_path / "serial", methods=methods, data=(IMAGES, [1] * 4))
    assert local.manifest().executor == "local, in 1 process"
    assert repr(local.scores().to_pylist()) == repr(serial.scores().to_pylist())  # NaN equals NaN


def test_a_folder_without_a_run_is_refused():
    with pytest.raises(DataError, match="/nosuch: expected the folder of a run, found no such folder; give"):
        hp.Run("/nosuch")


@pytest.mark.parametrize(
    ("shape", "drawn"),
    [((6,), "one bar for each input"), ((2, 9), "one area for each channel"), ((1, 3, 3, 3), "")],
    ids=["table", "signals", "volumes"],
)
def test_tables_signals_and_volumes_go_through_and_maps_of_volumes_are_not_drawn(tmp_path, shape, drawn):
    rows = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(rows[0].numel(), 2))
    data = list(rows) if len(shape) == 2 else rows
    settings = {"methods": ["gradient", "random_map"], "metrics": ["sparseness", "random_logit"], "precision": "plain"}
    run = hp.run(model=flat, bounds=(0, 1), data=data, out=tmp_path / "run", progress=False, **settings)
    assert run.summary()["n"].to_pylist() == [3] * 4
    page = run.report.read_text(encoding="utf-8")
    assert drawn in page
    assert ('class="gallery"' in page) == bool(drawn)
    assert len(run.manifest().images) == 3
    assert (run.path / "figures" / "gallery.png").is_file() == bool(drawn)


def test_signals_without_a_list_are_refused_with_the_remedy():
    model = Model(torch.nn.Conv1d(2, 3, 3), Bounds.of(0, 1, channels=2))
    with pytest.raises(DataError, match=r"expected images \[2, h, w\], .* got \[5, 2, 64\]; .* given as list\(signals\)"):
        hp.run(model=model, data=torch.rand(5, 2, 64), progress=False)
