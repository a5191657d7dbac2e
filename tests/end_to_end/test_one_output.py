"""Runs of networks with one output: of two classes, and of a quantity."""

import pytest
import torch
from PIL import Image

from heatproof.core.errors import DataError
from heatproof.evaluation.executors import SerialExecutor
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.run import run_experiment
from heatproof.models.classes import NO_CLASSES
from heatproof.models.loaders import File, Toy
from heatproof.report.figures.gallery import build_gallery, captions
from heatproof.report.score_matrix import read_scores
from heatproof.store import Run

TOY = Toy(architecture="mlp", classes=1, width=0.01)


@pytest.fixture
def run(tmp_path):
    for name, shades in {"healthy": (20, 90), "ill": (200,)}.items():
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for shade in shades:
            Image.new("L", (28, 28), shade).save(tmp_path / "pictures" / name / f"{shade}.png")
    torch.save(TOY.load().module.state_dict(), tmp_path / "weights.pt")

    def start(output, class_names, target="predicted"):
        network = File(path=tmp_path / "weights.pt", architecture=TOY, class_names=class_names).to_dict()
        experiment = Experiment.parse(
            {
                "name": "one_output",
                "dataset": {"name": "image_folder", "path": str(tmp_path / "pictures")},
                "models": [{**network, "output": output}],
                "methods": [{"name": "gradient"}],
                "metrics": [{"name": "random_logit", "similarity": "pearson"}],
                "target": target,
                "precision": "plain",
                "kept_maps": 1,
            }
        )
        run_experiment(experiment, tmp_path / "run", SerialExecutor())
        run = Run(tmp_path / "run")
        (scores,) = read_scores(run, run.manifest())
        (lines,) = captions(build_gallery(run, run.manifest(), scores), run.manifest(), scores).values()
        return run.query("SELECT * FROM records ORDER BY image_name").to_pylist(), lines

    return start


def outputs():
    shades = torch.tensor([20, 90, 200]).view(3, 1, 1, 1).expand(3, 1, 28, 28) / 255
    return TOY.load().module(shades)[:, 0].detach()


def test_labels_of_two_classes_are_explained_as_their_own_evidence(run):
    rows, lines = run("logit", ("healthy", "ill"), "label")
    signs = torch.tensor([-1, -1, 1])
    assert [row["target"] for row in rows] == [0, 0, 1]
    assert [row["clean_score"] for row in rows] == pytest.approx((signs * outputs()).tolist(), abs=1e-5)
    assert [row["clean_probability"] for row in rows] == pytest.approx((signs * outputs()).sigmoid().tolist(), abs=1e-5)
    assert [row["value"] for row in rows] == pytest.approx([-1] * 3, abs=1e-4)
    assert lines == ["healthy", f"p\u00a0=\u00a0{(-outputs()[0]).sigmoid():.2f}"]


def test_a_quantity_has_no_class_no_probability_and_no_other_class(run):
    rows, lines = run({"name": "regression"}, ())
    assert {row["target"] for row in rows} == {-1}
    assert [row["clean_score"] for row in rows] == pytest.approx(outputs().tolist(), abs=1e-5)
    assert all(row["clean_probability"] != row["clean_probability"] and row["value"] != row["value"] for row in rows)
    assert {row["notes"] for row in rows} == {NO_CLASSES}
    assert lines[0].startswith("output\u00a0=\u00a0")
    assert not any("p\u00a0=" in line for line in lines)


@pytest.mark.parametrize(
    ("output", "names"), [("logit", ()), ({"name": "regression"}, ("healthy", "ill"))], ids=["no names", "a quantity"]
)
def test_labels_where_there_are_no_classes_are_refused_before_the_first_unit(run, output, names):
    with pytest.raises(DataError, match="expected an output that depends on a class"):
        run(output, names, "label")
