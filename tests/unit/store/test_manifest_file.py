"""run.json is written a piece at a time, and its head is read alone."""

import json

import pytest
from pydantic_core import to_json

from heatproof.core.errors import DataError
from heatproof.store import Manifest, Run, manifest_file
from heatproof.store.manifest import ImageEntry, ModelEntry, UnitsEntry
from heatproof.store.manifest_file import pieces, read_head

IMAGES = tuple(ImageEntry(digest=f"{n:032x}", name=f"ä “{n}”\n", label=n) for n in range(50))
UNITS = tuple(UnitsEntry(model="net", method=f"m{n}", seed=0, keys="u1 u2") for n in range(3))
HEAD = Manifest(name="trial", elapsed=2.5, models=(ModelEntry(name="net", digest="d"),), class_names={"0": "no\nyes"})
WHOLE = HEAD.model_copy(update={"images": IMAGES, "units": UNITS})


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    return Run.create(tmp_path / "run")


def test_what_is_given_one_at_a_time_is_read_as_a_whole(run, monkeypatch):
    monkeypatch.setattr(manifest_file, "AT_ONCE", 200)
    run.write_manifest(HEAD, iter(IMAGES), iter(UNITS))
    assert run.manifest() == WHOLE
    sizes = [*map(len, pieces(WHOLE, IMAGES, UNITS))]
    assert len(sizes) > 10
    assert max(sizes[1:]) < 400  # the first one is the head


def test_the_head_of_a_run_is_read_without_its_images(run, monkeypatch):
    path = run.path / "run.json"
    run.write_manifest(WHOLE)
    monkeypatch.setattr(manifest_file, "read_manifest", lambda path: None)
    assert read_head(path) == HEAD
    run.write_manifest(HEAD)
    assert read_head(path) == HEAD


@pytest.mark.parametrize("options", [{"indent": 1}, {"indent": 2}, {}])
def test_another_layout_is_read_as_a_whole(run, options):
    path = run.path / "run.json"
    path.write_bytes(to_json(WHOLE, **options))
    assert read_head(path) == WHOLE
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 6, "units": [["u1", "net", "m0", 0]]}, indent=1))
    assert read_head(path).units == (UnitsEntry(model="net", method="m0", seed=0, keys="u1"),)


@pytest.mark.parametrize("cut", [1, 40, 4_000, 10**6])
def test_the_head_of_a_damaged_file_is_refused(run, cut):
    run.write_manifest(WHOLE)
    path = run.path / "run.json"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError, match="expected JSON"):
        read_head(path)


def test_a_field_that_does_not_fit_is_refused_by_its_name(run):
    run.write_manifest(WHOLE)
    path = run.path / "run.json"
    path.write_bytes(path.read_bytes().replace(b'"elapsed": 2.5', b'"elapsed": "long"'))
    with pytest.raises(DataError, match="elapsed: "):
        read_head(path)


def test_what_is_done_is_seen_among_keys_of_any_length(run):
    (run.path / "parts").mkdir()
    for name in ("u1", "u12", "u2", ".u3"):
        (run.path / "parts" / f"{name}.parquet").touch()
    keys = [UnitsEntry(model="", method="", seed=0, keys=text).key_array for text in ("u1 u3", "", "u12 u123 u11")]
    assert run.which_done(keys).tolist() == [True, False, True, False, False]
    assert Run.create(run.path / "nowhere").which_done(keys).tolist() == [False] * 5
    assert run.which_done([]).tolist() == []
