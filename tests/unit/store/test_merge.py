import pytest

from heatproof.core.errors import DataError, UsageError
from heatproof.core.records import Failure
from heatproof.store.manifest import StopEntry
from heatproof.store.merge import merge
from heatproof.store.packs import compact
from tests.unit.store.made import made


def test_two_halves_of_an_experiment_become_the_whole(tmp_path):
    units = ("u1", "u2", "u3", "u4")
    whole = made(tmp_path / "whole", units)
    halves = [made(tmp_path / name, units, finished=few) for name, few in [("a", units[:2]), ("b", units[1:])]]
    merged = merge(halves, tmp_path / "merged")
    assert merged.records().equals(whole.records())
    assert merged.manifest() == whole.manifest()


def test_other_methods_and_images_are_united(tmp_path):
    runs = [made(tmp_path / "a", ("u1", "u2")), made(tmp_path / "b", ("u3",), key="d2", label="SmoothGrad")]
    manifest = merge(runs, tmp_path / "merged").manifest()
    assert [method.label for method in manifest.methods] == ["Gradient", "SmoothGrad"]
    assert [image.digest for image in manifest.images] == ["i1", "i2", "i3"]
    assert manifest.unit_keys() == {"u1", "u2", "u3"}


def test_merged_runs_stay_as_they_are(tmp_path):
    runs = [made(tmp_path / name, (unit,)) for name, unit in (("a", "u1"), ("b", "u2"))]
    merged = merge(runs, tmp_path / "merged")
    merged.parts()[0].unlink()
    compact(merged)
    assert [run.done() for run in runs] == [{"u1"}, {"u2"}]


def test_a_unit_that_failed_in_one_run_and_is_finished_in_another_is_finished(tmp_path):
    first, second = made(tmp_path / "a", ("u1", "u2"), finished=("u1",)), made(tmp_path / "b", ("u1", "u2"), finished=("u2",))
    first.write_failure("u2", Failure(unit="u2", what="a unit", reason="too slow"))
    assert merge([first, second], tmp_path / "merged").failures() == []
    assert not list((tmp_path / "merged" / "failed").glob("*"))


def test_what_cannot_be_united_is_refused_in_a_line(tmp_path):
    first = made(tmp_path / "a", ("u1",))
    with pytest.raises(UsageError, match="two or more runs"):
        merge([first], tmp_path / "out")
    other = made(tmp_path / "b", ("u2",), key="d2")
    with pytest.raises(UsageError, match="Gradient: expected that all runs mean the same method by this name"):
        merge([first, other], tmp_path / "out")
    with pytest.raises(UsageError, match="expected a folder without a run"):
        merge([first, first], tmp_path / "b")
    stopping = made(tmp_path / "c", ("u3",), stop=StopEntry(against="chance", looks=(1,), alpha=0.05, alpha_a_look=0.05))
    with pytest.raises(UsageError, match="without a rule to stop early"):
        merge([first, stopping], tmp_path / "out")
    damaged = made(tmp_path / "d", ("u4",))
    damaged.parts()[0].write_bytes(b"torn")
    with pytest.raises(DataError, match=r"u4\.parquet"):
        merge([first, damaged], tmp_path / "out")


def test_packs_that_hold_a_unit_of_another_run_are_refused(tmp_path):
    units = ("u1", "u2", "u3")
    runs = [made(tmp_path / "a", units, finished=units[:2]), made(tmp_path / "b", units)]
    compact(runs[1])
    with pytest.raises(UsageError, match="merge first, compact later"):
        merge(runs, tmp_path / "out")
