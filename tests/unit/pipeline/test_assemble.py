"""What a call stands for: the words of the command line mean the same in Python, in TOML and in every command."""

import pytest
from typer.testing import CliRunner

from heatproof.cli import evaluate
from heatproof.cli.main import app
from heatproof.core.errors import DataError, HeatproofError, UsageError
from heatproof.evaluation.experiment import Experiment
from heatproof.models.loaders import resolve
from heatproof.pipeline import assemble

RANDOM = {"name": "torchvision", "architecture": "resnet18", "weights": None}
MODELS = {
    "torchvision:resnet18,weights=random": RANDOM,
    "my.nets:build,width=8": {"name": "imported", "path": "my.nets:build", "arguments": {"width": 8}},
    "file:weights.pt,architecture=my.nets:build": {"name": "file", "path": "weights.pt"},
    "file:weights.pt,architecture={name='torchvision',architecture='resnet18',weights='random'}": {"architecture": RANDOM},
    "toy:mlp": {"name": "toy", "architecture": "mlp"},
    "efficientnet_lite0": {"name": "efficientnet_lite0"},
}
CONTENT = {"name": "e", "dataset": "photos,count=2", "models": ["toy:mlp"], "methods": ["gradient"], "metrics": ["sparseness"]}


def loaders(experiment):
    return [entry.loader.to_dict() for entry in experiment.model_entries()]


def contains(settings, part):
    return all(contains(settings[key], value) if isinstance(value, dict) else settings[key] == value for key, value in part.items())


@pytest.mark.parametrize("text", MODELS)
def test_the_words_for_a_network_mean_the_same_everywhere(text, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(evaluate, "run_and_report", lambda experiment, folder, *_: seen.append((experiment, folder)))
    given = {"data": str(tmp_path), "methods": ["gradient"], "metrics": ["sparseness"]}
    command = ["evaluate", "-m", text, "-d", str(tmp_path), "-x", "gradient", "--metric", "sparseness"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = [
        resolve(text).to_dict(),
        *loaders(assemble(model=text, **given).experiment),
        *loaders(Experiment.parse(CONTENT | {"models": [text]})),
        *loaders(Experiment.parse(CONTENT | {"models": [text + ",output=probability"]})),
        *loaders(seen[0][0]),
    ]
    assert all(each == found[0] for each in found)
    assert contains(found[0], MODELS[text])
    assert seen[0][1].name == seen[0][0].name


def test_a_table_may_name_what_a_loader_loads():
    content = CONTENT | {"models": [{"name": "torchvision:resnet18", "weights": "random", "output": "probability"}]}
    assert contains(loaders(Experiment.parse(content))[0], RANDOM)


def test_options_replace_parts_of_a_file(tmp_path, monkeypatch):
    file = tmp_path / "e.toml"
    file.write_text('name = "e"\ndataset = "photos"\nmodels = ["toy:mlp"]\nmethods = ["gradient"]\nmetrics = ["sparseness"]')
    whole = assemble(file)
    assert whole.text == file.read_text()
    changed = assemble(file, model=["toy:cnn"], methods=["random_map", "smooth_grad,samples=2"], count=3)
    assert changed.text == ""
    assert [each["architecture"] for each in loaders(changed.experiment)] == ["cnn"]
    assert [entry.label for entry in changed.experiment.method_entries()] == ["Random map", "SmoothGrad (samples 2)"]
    assert changed.experiment.data().count == 3
    assert changed.experiment.metrics == whole.experiment.metrics


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ([], UsageError, "model: expected a Model"),
        (["-m", "toy:mlp"], UsageError, "data: expected a folder of images"),
        (["-m", "toy:mlp", "-d", "nosuch"], HeatproofError, "There is no file or folder 'nosuch' in"),
        (["-m", "toy:mlp", "-d", "./nosuch"], DataError, "found neither a file nor a folder"),
        (["-m", "toy:mlp", "-d", "photos,cuont=2"], UsageError, "cuont: no such setting"),
    ],
)
def test_a_command_that_lacks_something_says_what(arguments, error, message):
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
