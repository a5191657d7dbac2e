from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heatproof.core.errors import DataError, TensorError, UsageError
from heatproof.core.records import SCHEMA_VERSION, Failure, Record
from heatproof.store import Run
from heatproof.store.atomic import write_atomically
from heatproof.store.parts import VERSION_KEY, arrow_schema


def record(**changed):
    plain = Record(
        unit="u1", model="m", method="d1", method_label="Gradient", method_settings="{}", metric="curve", metric_settings="{}",
        direction="lower", image="i1", image_name="panda.jpg", target=3, clean_score=9.0, clean_probability=0.5, seed=0, value=1.5,
        curve=[1.0, 0.5], forward_rows=1, backward_rows=1, seconds=0.1,
    )  # fmt: skip
    return replace(plain, **changed)


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run")


def test_the_arrow_schema_has_the_fields_of_a_record_in_order():
    assert arrow_schema().names == [field.name for field in fields(Record)]


def test_a_run_that_was_never_written_is_empty_and_creates_nothing(run):
    assert (run.done(), run.failures(), run.refused(), run.records().num_rows) == (set(), [], [], 0)
    assert run.records().schema.names == arrow_schema().names
    assert not run.path.exists()


def test_records_come_back_as_they_were_written(run):
    written = [record(image="i2", value=float("inf"), notes="a note"), record(image="i1", curve=[])]
    run.write_part("u1", written)
    back = run.records().to_pylist()
    assert [row["image"] for row in back] == ["i1", "i2"]
    assert back[1]["value"] == float("inf")
    assert back[1]["notes"] == "a note"
    assert back[1]["curve"] == [1.0, 0.5]
    assert np.isnan(back[0]["error"])


def test_a_unit_is_done_when_its_part_exists_and_not_before(run):
    run.write_failure("u1", Failure(unit="u1", what="a unit", reason="too slow"))
    assert run.done() == set()
    run.write_part("u1", [record()])
    assert run.done() == {"u1"}


def test_a_part_may_be_empty(run):
    run.write_part("u1", [])
    assert run.done() == {"u1"}
    assert run.records().num_rows == 0


def test_a_part_takes_records_of_its_own_unit_only(run):
    with pytest.raises(UsageError, match="records of this unit only"):
        run.write_part("u2", [record()])


@pytest.mark.parametrize("unit", ["../u", "a/b", ".hidden", "", "a b"])
def test_a_key_that_is_no_plain_file_name_is_refused(run, unit):
    with pytest.raises(UsageError, match="plain name"):
        run.write_part(unit, [])


def test_maps_keep_eleven_bits_of_their_own_maximum(run):
    values = np.random.default_rng(0).normal(size=(3, 8, 9)) * 1e-9
    run.write_part("u1", [record()], {"i1": values, "i2": np.zeros((1, 2, 2))})
    back = run.map("u1", "i1")
    assert back.dtype == np.float32
    assert np.abs(back - values).max() <= 2**-11 * np.abs(values).max()
    assert not run.map("u1", "i2").any()
    assert run.mapped("u1") == {"i1", "i2"}


def test_a_map_with_a_value_that_is_not_finite_keeps_the_others(run):
    run.write_part("u1", [record()], {"i1": np.array([[[np.nan, 2.0, -1.0]]])})
    np.testing.assert_array_equal(run.map("u1", "i1"), [[[np.nan, 2.0, -1.0]]])


def test_maps_are_written_before_the_part(run, monkeypatch):
    order = []
    monkeypatch.setattr("heatproof.store.run.write_atomically", lambda path, content: order.append(path.suffix))
    run.write_part("u1", [record()], {"i1": np.ones((1, 2, 2))})
    assert order == [".safetensors", ".parquet"]


def test_a_reduced_map_is_refused(run):
    with pytest.raises(TensorError, match="channels, height, width"):
        run.write_part("u1", [record()], {"i1": np.ones((2, 2))})
    assert run.done() == set()


def test_a_map_that_was_not_kept_is_named(run):
    run.write_part("u1", [record()], {"i1": np.ones((1, 2, 2))})
    with pytest.raises(DataError, match="image i9, got i1"):
        run.map("u1", "i9")
    with pytest.raises(DataError, match="got no file"):
        run.map("u2", "i1")


def test_a_torn_part_is_named_with_its_remedy(run):
    run.write_part("u1", [record()])
    part = run.path / "parts" / "u1.parquet"
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"u1\.parquet.*Start the run again"):
        run.records()


def test_a_part_with_a_broken_footer_is_named_too(run):
    run.write_part("u1", [record()])
    part = run.path / "parts" / "u1.parquet"
    content = bytearray(part.read_bytes())
    content[-200:-8] = bytes(192)
    part.write_bytes(content)
    with pytest.raises(DataError, match=r"u1\.parquet.*Start the run again"):
        run.records()


def damage(part, kind):
    content = bytearray(part.read_bytes())
    if kind in ("a folder", "a dangling link"):
        part.unlink()
        part.mkdir() if kind == "a folder" else part.symlink_to("/nosuch")
    elif kind == "other columns":
        pq.write_table(pa.table({"a": [1]}), part)
    elif kind == "columns of another type":
        table = pq.read_table(part)
        pq.write_table(table.set_column(table.schema.get_field_index("seed"), "seed", table["seed"].cast("string")), part)
    elif kind == "the schema abc":
        pq.write_table(pq.read_table(part).replace_schema_metadata({VERSION_KEY: b"abc"}), part)
    elif kind == "records of another unit":
        pq.write_table(pa.Table.from_pylist([record(unit="u9").to_dict()], schema=arrow_schema()), part)
    else:
        content = {
            "empty": b"",
            "torn": content[:-20],
            "garbage": b"garbage" * 100,
            "garbage between magic bytes": b"PAR1" + bytes(400) + b"PAR1",
            "a flipped byte": content[:40] + bytes([content[40] ^ 1]) + content[41:],
        }[kind]
        part.write_bytes(content)


@pytest.mark.parametrize(
    "kind",
    [
        *("empty", "torn", "garbage", "garbage between magic bytes", "a flipped byte", "a folder", "a dangling link"),
        *("other columns", "columns of another type", "the schema abc", "records of another unit"),
    ],
)
def test_a_part_that_cannot_be_used_is_named_set_aside_and_its_unit_is_not_done(run, kind):
    run.write_part("u1", [record()])
    run.write_part("u2", [record(unit="u2")])
    damage(run.path / "parts" / "u1.parquet", kind)
    with pytest.raises(DataError, match=r"u1\.parquet: expected a whole part of this run, got .*Start the run again"):
        run.records()
    (fault,) = run.set_aside()
    assert fault.unit == "u1"
    assert run.done() == {"u2"}
    assert run.records().column("unit").to_pylist() == ["u2"]
    assert [file.name for file in (run.path / "set_aside").iterdir()] == ["u1.0.parquet"]
    assert run.set_aside() == []


def test_a_copy_of_a_part_under_another_name_is_set_aside(run):
    run.write_part("u1", [record()])
    (run.path / "parts" / "u2.parquet").write_bytes((run.path / "parts" / "u1.parquet").read_bytes())
    assert [(fault.unit, fault.reason) for fault in run.set_aside()] == [("u2", "records of another unit, u1")]
    assert run.records().num_rows == 1


def test_a_part_without_units_and_checksum_is_read_as_earlier_versions_wrote_it(run):
    run.write_part("u1", [record()])
    part = run.path / "parts" / "u1.parquet"
    pq.write_table(pq.read_table(part), part)
    assert run.set_aside() == []
    assert run.records().num_rows == 1


def test_maps_that_cannot_be_read_are_set_aside_with_their_part(run):
    run.write_part("u1", [record()], {"i1": np.ones((1, 2, 2))})
    run.maps_path("u1").write_bytes(b"torn")
    assert [fault.unit for fault in run.set_aside()] == ["u1"]
    assert run.done() == set()
    assert not run.maps_path("u1").exists()


@pytest.mark.parametrize("text", ["[{}]", "{}", "5", '[{"unit": "u1"}]', "null"])
def test_a_record_of_failures_that_is_none_is_named(run, text):
    write_atomically(run.path / "failed" / "u1.json", text.encode())
    with pytest.raises(DataError, match=r"u1\.json: expected a list of failures"):
        run.failures()


def test_torn_maps_are_named_with_their_remedy(run):
    run.write_part("u1", [record()], {"i1": np.ones((1, 2, 2))})
    run.maps_path("u1").write_bytes(b"torn")
    for read in (lambda: run.map("u1", "i1"), lambda: run.mapped("u1")):
        with pytest.raises(DataError, match="whole safetensors file"):
            read()


def test_a_part_of_a_newer_schema_is_refused(run):
    run.write_part("u1", [record()])
    part = run.path / "parts" / "u1.parquet"
    table = pq.read_table(part)
    pq.write_table(table.replace_schema_metadata({VERSION_KEY: str(SCHEMA_VERSION + 1).encode()}), part)
    with pytest.raises(DataError, match="upgrade heatproof"):
        run.records()


def test_an_older_part_without_a_column_is_read_with_null_there(run):
    run.write_part("u1", [record()])
    run.write_part("u2", [record(unit="u2")])
    old = run.path / "parts" / "u1.parquet"
    pq.write_table(pq.read_table(old).drop_columns(["notes"]), old)
    assert run.query("SELECT notes FROM records ORDER BY unit").column(0).to_pylist() == [None, ""]
    (run.path / "parts" / "u2.parquet").unlink()
    assert run.query("SELECT notes FROM records").column(0).to_pylist() == [None]


def test_sql_runs_over_all_parts(run):
    for index in range(3):
        run.write_part(f"u{index}", [record(unit=f"u{index}", value=float(index))])
    table = run.query("SELECT avg(value) AS mean FROM records")
    assert isinstance(table, pa.Table)
    assert table.column("mean").to_pylist() == [1.0]


def test_a_folder_name_with_a_quote_is_no_sql(tmp_path):
    run = Run.create(tmp_path / "it's a run")
    run.write_part("u1", [record()])
    assert run.records().num_rows == 1


def test_unfinished_files_are_invisible(run):
    run.write_part("u1", [record()])
    (run.path / "parts" / ".u2.parquet.1.tmp").write_bytes(b"half")
    (run.path / "parts" / ".u3.parquet").write_bytes(b"half")
    assert run.done() == {"u1"}
    assert run.records().num_rows == 1


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "facts.json"
    write_atomically(path, b"old")
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["facts.json"]
    assert path.read_bytes() == b"old"


def test_a_failure_is_forgotten_once_the_unit_has_a_part(run):
    run.write_failure("u1", Failure(unit="u1", what="a unit", reason="too slow"))
    run.write_failure("u2", Failure(unit="u2", what="another", reason="too big"))
    run.write_part("u1", [record()])
    assert [failure.unit for failure in run.failures()] == ["u2"]
    run.clear_failure("u2")
    run.clear_failure("u2")
    assert run.failures() == []


def test_a_failure_left_behind_by_a_kill_does_not_count(run):
    run.write_part("u1", [record()])
    run.write_failure("u1", Failure(unit="u1", what="a unit", reason="too slow"))
    assert run.failures() == []


def test_refused_images_do_not_fail_their_unit(run):
    refused = Failure(unit="u1", what="x.jpg", reason="truncated")
    run.write_refused("u1", refused)
    run.write_part("u1", [])
    assert run.refused() == [refused]
    assert run.failures() == []


def test_an_image_comes_back_pixel_for_pixel_and_is_written_once(run):
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 255, size=(5, 4, 3), dtype=np.uint8)
    run.write_image("abc", pixels)
    run.write_image("abc", np.zeros_like(pixels))
    with Image.open(run.image_path("abc")) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_an_image_of_floats_is_refused(run):
    with pytest.raises(TensorError, match="uint8"):
        run.write_image("abc", np.zeros((4, 4, 3)))
