"""A network of the user's own: found, built, checked against its preprocessing, and refused in one line where it cannot be."""

import sys
from pathlib import Path

import pytest
import torch

from heatproof.core.errors import HeatproofError, ModelError, SettingsError, UnknownNameError
from heatproof.models import Preprocessing
from heatproof.models.loaders import File, Imported, Loader, load_model, resolve
from heatproof.models.loaders.source_files import is_installed

NETS = """
import torch
from torch import nn
import own_blocks
from heatproof.models import Bounds, Model

class Net(nn.Module):
    def __init__(self, width=4, classes=3):
        super().__init__()
        if width > 100:
            raise ValueError("too wide,\\nby far")
        self.first, self.head = nn.Conv2d(1, width, 3), nn.Linear(width, classes)

    def forward(self, x):
        return self.head(own_blocks.bend(self.first(x)).mean((2, 3)))

def build(**settings):
    return Net(**settings)

def table():
    return Model(nn.Linear(4, 2), Bounds.of(-2, 2, channels=4), class_names=("no", "yes"))

network = Net()
number = 3

def wrong():
    return {"net": Net()}

def leaves():
    raise SystemExit("usage: nets.py")

class OtherInput(nn.Module):
    def forward(self, x):
        return x @ torch.ones(5, 2)
"""
PIXELS = {"side": 8, "resize": 8, "mean": [0.5], "std": [0.5]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_nets.py").write_text(NETS)
    (tmp_path / "own_blocks.py").write_text("def bend(x):\n    return x.relu()\n")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("own_"):
            del sys.modules[name]


def load(path, **settings):
    return Imported(path=path, **{"preprocessing": PIXELS} | settings).load()


def rewritten(file: Path, old: str, new: str) -> None:
    """The file with other text, as a new process would import it."""
    file.write_text(file.read_text().replace(old, new))
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


@pytest.mark.parametrize("path", ["own_nets:build", "own_nets:Net", "own_nets:network"])
def test_a_function_a_class_and_a_network_are_loaded(folder, path):
    model = load(path, class_names=("a", "b", "c"))
    assert (model.name, model.class_names, model.preprocessing) == (path, ("a", "b", "c"), Preprocessing(**PIXELS))
    assert model.outputs(torch.zeros(2, 1, 8, 8)).shape == (2, 3)
    assert (model.bounds.lower.item(), model.module.training) == (-1, False)


def test_arguments_are_given_to_the_callable(folder):
    model = load("own_nets:build", arguments={"width": 6, "classes": 2})
    assert (model.name, model.module.first.out_channels, model.module.head.out_features) == (
        "own_nets:build(width=6, classes=2)",
        6,
        2,
    )


def test_a_model_brings_its_own_bounds_and_names(folder):
    model = load("own_nets:table", preprocessing=None)
    assert (model.class_names, model.bounds.upper.tolist(), model.preprocessing) == (("no", "yes"), [2.0] * 4, None)


def test_random_weights_depend_on_the_seed_alone(folder):
    first, again, other = (load("own_nets:build", seed=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest


def test_a_network_at_the_path_is_copied(folder):
    model = load("own_nets:network")
    model.module.head.weight.data.zero_()
    assert sys.modules["own_nets"].network.head.weight.any()


def test_weights_of_a_file_replace_the_random_ones(folder):
    trained = load("own_nets:build", seed=9)
    torch.save(trained.module.state_dict(), "trained.pt")
    model = load("own_nets:build", weights="trained.pt")
    assert (model.name, model.digest) == ("own_nets:build with trained.pt", trained.digest)
    by_file = File(path="trained.pt", architecture=Imported(path="own_nets:build", preprocessing=PIXELS)).load()
    assert by_file.digest == trained.digest
    beside = File(path="trained.pt", architecture=Imported(path="own_nets:build"), preprocessing=PIXELS).load()
    assert (beside.digest, beside.preprocessing) == (trained.digest, trained.preprocessing)


def test_the_path_of_imports_and_the_random_state_are_left_as_they_were(folder):
    before, state = list(sys.path), torch.get_rng_state()
    load("own_nets:build")
    with pytest.raises(ModelError):
        load("own_nets:build", arguments={"width": 101})
    assert sys.path == before
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("file", "old", "new"), [("own_nets.py", "mean((2, 3))", "amax((2, 3))"), ("own_blocks.py", "x.relu()", "x.tanh()")]
)
def test_a_changed_line_changes_the_digest(folder, file, old, new):
    digest = load("own_nets:build").digest
    rewritten(folder / file, old, new)
    assert load("own_nets:build").digest != digest


def test_other_arguments_and_other_callables_have_other_digests(folder):
    models = [load("own_nets:build"), load("own_nets:Net"), load("own_nets:build", arguments={"classes": 3})]
    assert len({model.digest for model in models}) == 3


def test_the_digest_depends_neither_on_other_files_nor_on_the_folder(folder, monkeypatch):
    digest = load("own_nets:build").digest
    moved = folder / "moved"
    moved.mkdir()
    for name in ("own_nets.py", "own_blocks.py"):
        (folder / name).rename(moved / name)
    (moved / "own_other.py").write_text("x = 1\n")
    monkeypatch.chdir(moved)
    rewritten(moved / "own_nets.py", "", "")
    assert load("own_nets:build").digest == digest


def test_a_package_counts_with_what_it_imports_relatively_or_inside_functions(folder):
    package = folder / "own_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "blocks.py").write_text("def bend(x):\n    return x.relu()\n")
    (package / "late.py").write_text("SCALE = 1\n")
    (package / "nets.py").write_text(
        "from torch import nn\nfrom . import blocks\n\nclass Net(nn.Module):\n    def forward(self, x):\n"
        "        from own_package.late import SCALE\n        return blocks.bend(x).flatten(1) * SCALE\n"
    )
    digests = [load("own_package.nets:Net").digest]
    for file, old, new in [("blocks.py", "relu", "tanh"), ("late.py", "1", "2"), ("__init__.py", "", "x = 1\n")]:
        rewritten(package / file, old, new)
        digests.append(load("own_package.nets:Net").digest)
    assert len(set(digests)) == 4


@pytest.mark.parametrize(
    ("path", "settings", "message"),
    [
        ("own_nots:build", {}, r"expected a module own_nots in .*, found none. Start in the folder"),
        ("own_nets.py:build", {}, r"got that of a file; write own_nets$"),
        ("own_nets:biuld", {}, r"expected biuld in own_nets.py, found no such name. Did you mean build\?"),
        ("own_nets:Net.nothing", {}, r"expected nothing in Net, found no such name"),
        ("own_nets:number", {}, "expected a callable that returns a network, got int"),
        ("own_nets:wrong", {}, "expected an nn.Module or a Model to be returned, got dict"),
        ("own_nets:network", {"arguments": {"width": 3}}, "leave out `arguments`"),
        ("own_nets:Net", {"arguments": {"wdith": 3}}, r"unexpected keyword argument 'wdith'; it takes \(width=4, classes=3\)"),
        (
            "own_nets:build",
            {"arguments": {"width": 101}},
            r"the call of build\(width=101\) failed at own_nets.py:11: ValueError: too wide, by far$",
        ),
        ("own_nets:leaves", {}, r"the call of leaves failed at own_nets.py:\d+: SystemExit: usage"),
        ("own_nets:build", {"preprocessing": None}, "expected how an image becomes an input .*give `preprocessing`"),
        (
            "own_nets:OtherInput",
            {},
            r"the forward pass of images \[1, 1, 8, 8\], as `preprocessing` makes them, failed at own_nets.py:\d+: RuntimeError",
        ),
        ("own_nets:build", {"class_names": ("a", "b")}, "for each of the network's 3 outputs, got 2 names"),
        ("own_broken:build", {}, r"the import of own_broken failed at own_broken.py:2: SyntaxError"),
        ("own_needs:build", {}, r"the import of own_needs failed at own_needs.py:1: ModuleNotFoundError: No module named 'no_such"),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_one_line(folder, path, settings, message):
    (folder / "own_broken.py").write_text("x = 1\ndef build(:\n")
    (folder / "own_needs.py").write_text("import no_such_package\n")
    with pytest.raises(ModelError, match=message) as caught:
        load(path, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["own_nets.build", "own_nets:", "folder/own_nets.py:build", "own nets:build"])
def test_a_path_of_another_form_is_refused_before_anything_is_loaded(path):
    with pytest.raises(SettingsError, match="expected module:callable"):
        Imported(path=path)


def test_settings_survive_a_round_trip():
    loader = Imported(path="a.b:c", arguments={"width": 3, "names": ["x"], "more": {"name": "y"}}, preprocessing=PIXELS)
    assert Loader.from_dict(loader.to_dict()) == loader


def test_a_text_names_a_network_its_settings_and_its_arguments(folder):
    loader = resolve("own_nets:build", {"width": 5, "seed": 3, "preprocessing": PIXELS, "arguments": {"classes": 2}})
    assert loader == Imported(path="own_nets:build", arguments={"classes": 2, "width": 5}, seed=3, preprocessing=PIXELS)
    assert resolve("imported:own_nets:build", {"width": 5}) == Imported(path="own_nets:build", arguments={"width": 5})
    assert load_model(loader).module.first.out_channels == 5


def test_a_file_of_weights_names_its_architecture_by_import_path():
    settings = {"architecture": "own_nets:build"}
    assert resolve("file:x.pt", settings) == File(path="x.pt", architecture=Imported(path="own_nets:build"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_nets:build", 'In a table, name = "imported", path = "own_nets:build"'),
        ("nets/own.py:build", "Write the import path nets.own:build"),
    ],
)
def test_an_import_path_in_place_of_a_name_is_answered_with_what_to_write(name, message):
    with pytest.raises(UnknownNameError, match=message):
        Loader.from_dict({"name": name})


def test_a_misspelt_loader_is_answered_with_its_name(folder):
    with pytest.raises(HeatproofError, match="Did you mean torchvision"):
        load_model("torchvison:resnet18")


@pytest.mark.parametrize(
    ("file", "installed"),
    [
        ("/elsewhere/lib/python3.11/site-packages/timm/layers.py", True),
        ("/usr/lib/python3/dist-packages/yaml.py", True),
        ("<frozen importlib>", True),
        ("/home/own/packages/nets.py", False),
    ],
)
def test_packages_of_any_environment_are_none_of_the_users_own(file, installed):
    """Those of another environment on the path of imports took minutes to parse."""
    assert is_installed(file) == installed
