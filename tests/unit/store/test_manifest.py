"""The manifest of a run: it comes back as it was written, older ones are read, and what cannot be read is refused by name."""

import json

import pytest
from pydantic import ValidationError

from heatproof.core.errors import DataError
from heatproof.store import Manifest, Run
from heatproof.store.manifest import MANIFEST_VERSION, ImageEntry, MethodEntry, StopEntry, StoppedEntry, UnitsEntry
from heatproof.store.published import ClaimEntry, PublishedTable
from heatproof.store.upgrade import upgraded

STOP = StopEntry(
    against="chance",
    looks=(4, 8),
    alpha=0.05,
    alpha_a_look=0.025,
    stopped=(StoppedEntry(model="lite0", output="logit", images=4, of=8, why="all is decided"),),
)
WHOLE = Manifest(
    name="demo",
    seeds=(0, 1),
    methods=(MethodEntry(key="d1", label="Gradient", settings={"name": "gradient"}),),
    images=(ImageEntry(digest="i1", name="panda.jpg", label=3, label_name="panda"),),
    units=(UnitsEntry(model="lite0", method="d1", seed=0, keys="u1"),),
    class_names={"3": "panda"},
    stop=STOP,
    claims=(ClaimEntry(says="SmoothGrad is lower", metric="aupc", falls=("a", "b", "c")),),
)
EARLIER = {
    "schema": 4,
    "name": "old",
    "budget": True,
    "versions": {"heatproof": "0.1.0", "torch": "2.9.0", "python": "3.11.9"},
    "machine": {"cpu": "two cores", "cores": 2, "device": "cpu"},
    "models": [{"name": "lite0", "digest": "w1", "label": "lite0", "output": "logit", "settings": {}, "acceleration": None}],
    "methods": [{"method": "d1", "name": "random_map", "label": "Random map", "control": True, "reference": True}],
    "metrics": [{"metric": "curve", "label": "AUPC", "title": "Curve", "direction": "lower", "curve_axes": None}],
    "relations": [{"title": "R", "x": "a", "y": "b"}],
    "stop": None,
}


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run")


def write(run, content):
    run.path.mkdir()
    (run.path / "run.json").write_text(content if isinstance(content, str) else json.dumps(content))


def test_a_manifest_comes_back_as_it_was_written(run):
    run.write_manifest(WHOLE)
    assert run.manifest() == WHOLE
    assert json.loads((run.path / "run.json").read_text())["version"] == MANIFEST_VERSION


def test_the_sentences_of_a_manifest(run):
    assert (WHOLE.heading, WHOLE.looks, WHOLE.class_name(3), WHOLE.class_name(4)) == ("demo", 2, "panda", "class 4")
    model = Manifest.model_validate(upgraded(EARLIER)).models[0]
    assert WHOLE.stopped(model) == "after 4 of 8 images, since all is decided"
    assert str(STOP.stopped[0]) == "lite0 stopped after 4 of 8 images: all is decided"


def test_a_manifest_of_the_version_before_is_read(run):
    write(run, EARLIER)
    manifest = run.manifest()
    assert manifest.version == MANIFEST_VERSION
    assert (manifest.methods[0].key, manifest.methods[0].chance, manifest.methods[0].control) == ("d1", True, True)
    assert (manifest.metrics[0].name, manifest.metrics[0].curve_axes) == ("curve", ("step", "value"))
    assert (manifest.environment.torch, manifest.environment.cores) == ("2.9.0", 2)
    assert manifest.associations[0].title == "R"
    assert manifest.budget == "fewer samples or images than the method asks for"


@pytest.mark.parametrize(
    "kind",
    [
        {"falls": ("a", "b", "c")},
        {"below": ("a", "b"), "above": ("c", "d")},
        {"below": ("a",), "above": ("b",)},
        {"alike": ("a",), "to": ("b", "c"), "within": 0.1},
        {"reach": ("a", "b"), "least": 0.5},
    ],
    ids=["falls", "below and above", "one pair", "alike", "reach"],
)
def test_a_claim_that_was_written_as_its_pairs_has_the_same_pairs_again(kind):
    claim = ClaimEntry(says="s", metric="m", **kind)
    written = {
        "says": "s",
        "metric": "m",
        "component": "",
        "relation": "",
        "statistic": "",
        "pairs": [list(p) for p in claim.pairs()],
    }
    written |= {"within": claim.within if claim.alike else None, "least": claim.least}
    again = ClaimEntry.model_validate(upgraded({"schema": 4, "name": "r", "claims": [written]})["claims"][0])
    assert [*again.pairs()] == [*claim.pairs()]
    assert (again.is_tested, again.within, again.least) == (claim.is_tested, claim.within, claim.least)


def test_a_folder_without_a_manifest_is_no_run(run):
    assert not run.exists
    with pytest.raises(DataError, match=r"run folder with a run\.json"):
        run.manifest()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected JSON, got a file that cannot be parsed"),
        ("[]", "JSON object"),
        ({"version": 99, "name": "r"}, "expected version 7 or older, got 99. Upgrade"),
        ({"schema": 99}, "Upgrade"),
        ({"version": 7}, "name: Field required"),
        ({"version": 7, "name": "r", "seeds": ["a"]}, r"seeds\.0: .*got 'a'"),
        ({"version": 7, "name": "r", "colour": 1}, "colour: Extra inputs"),
        ({"version": 7, "name": "r", "methods": [{"key": "d"}]}, r"methods\.0\.label: Field required"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused_by_the_name_of_its_field(run, content, message):
    write(run, content)
    with pytest.raises(DataError, match=message):
        run.manifest()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("versions", "2.9", "environment: .*got '2.9'"),
        ("machine", [1], r"environment: .*got \[1\]"),
        ("models", None, "models: .*got None"),
        ("models", ["lite0"], r"models\.0: .*got 'lite0'"),
        ("methods", {"a": 1}, "methods: .*got {'a': 1}"),
        ("metrics", [7], r"metrics\.0: .*got 7"),
        ("claims", "word", "claims: .*got 'word'"),
        ("claims", [{"says": "s"}], r"claims\.0"),
        ("claims", [{"says": "s", "metric": "m", "pairs": []}], r"claims\.0"),
        ("claims", [{"says": "s", "metric": "m", "pairs": [["a", 1]]}], r"claims\.0"),
        ("claims", [{"says": "s", "metric": "m", "pairs": ["ab"]}], r"claims\.0"),
    ],
)
def test_a_manifest_of_the_version_before_that_was_edited_by_hand_is_refused_by_the_name_of_its_field(run, field, value, message):
    write(run, {**EARLIER, field: value})
    with pytest.raises(DataError, match=message):
        run.manifest()


def test_two_methods_of_one_label_are_refused():
    twice = (MethodEntry(key="d1", label="A"), MethodEntry(key="d2", label="A"))
    with pytest.raises(ValidationError, match="expected methods whose labels differ, got A"):
        Manifest(name="r", methods=twice)


def test_a_published_table_has_one_number_for_each_method():
    with pytest.raises(ValidationError, match="expected 2 numbers, one a method, got 1"):
        PublishedTable(title="T", methods=("a", "b"), published={"net": {"m": (1.0,)}})


@pytest.mark.parametrize(
    ("version", "units"),
    [
        (5, [{"unit": key, "model": "lite0", "method": "d1", "seed": 0, "images": ["i1", "i2"]} for key in ("u1", "u2")]),
        (6, [["u1", "lite0", "d1", 0], ["u2", "lite0", "d1", 0]]),
    ],
)
def test_units_of_earlier_versions_which_had_an_entry_each_are_read(run, version, units):
    write(run, {"version": version, "name": "r", "units": units})
    entry = UnitsEntry(model="lite0", method="d1", seed=0, keys="u1 u2")
    assert run.manifest().units == (entry,)
    run.write_manifest(run.manifest())
    assert json.loads((run.path / "run.json").read_text())["units"] == [entry.model_dump()]
    assert run.manifest().units == (entry,)
    assert run.manifest().unit_keys() == {"u1", "u2"}
