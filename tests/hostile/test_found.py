"""Inputs that once ended in a traceback, an endless loop, a wrong number or a file elsewhere; each is refused, by name."""

import io
import json
import pickle
import socket
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from heatproof.core.errors import DataError, HeatproofError, ModelError, SettingsError, StorageError, UnknownNameError, UsageError
from heatproof.core.settings_text import parse_settings
from heatproof.data import Arrays, open_image
from heatproof.data.sources import dataset_of
from heatproof.evaluation.experiment import Experiment, toml_content
from heatproof.models.loaders import File, resolve
from heatproof.models.loaders.file import _read
from heatproof.report.page import _file_names
from heatproof.store import Run
from heatproof.store.atomic import check_links
from heatproof.store.decisions import Decisions
from heatproof.store.merge import merge
from heatproof.store.packs import compact
from tests.unit.store.made import made, record


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 5000, "a = " + "{a=" * 5000, "a = " + "9" * 5000], ids=["lists", "tables", "digits"]
)
def test_text_that_python_itself_refuses_is_no_toml(text):
    with pytest.raises(SettingsError, match="expected TOML"):
        toml_content(text, Path("trial.toml"))
    assert isinstance(parse_settings(f"x,{text.replace(' ', '')}")["a"], str)


def test_a_message_is_one_line_of_bounded_length_whatever_it_quotes():
    error = UsageError("a\nb\r\x1b[2J\u202e" + "c" * 5000)
    assert str(error).startswith("a\\nb\\r\\x1b[2J\\u202ec")
    assert len(str(error)) <= 900


@pytest.mark.parametrize("error", [UnknownNameError("fill", "x", ["y"], "hint"), StorageError("a"), UsageError("b\nc")])
def test_errors_come_back_from_another_process(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))


@pytest.mark.parametrize("text", ["a{b,c", "[,", "nosuch/\x00.png", "/" + "a" * 5000, "/nosuch/" + "a" * 5000 + ".png"])
def test_names_of_data_sets_that_no_file_can_have(text):
    with pytest.raises(HeatproofError):
        dataset_of(text).items()


@pytest.mark.parametrize("text", ["nosuch/" + "9" * 5000, "file:" + "a" * 5000 + ",architecture=toy"])
def test_names_of_networks_that_no_file_can_have(text):
    fields = parse_settings(text)
    with pytest.raises(HeatproofError):
        resolve(fields.pop("name"), fields).load()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/a.png", "https://127.0.0.1:9/a.pt", "file:///etc/passwd", "ftp://127.0.0.1:9/a"]
)
def test_no_address_is_ever_fetched(url, tmp_path, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was asked for"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("an address was looked up"))
    for read in (
        lambda: dataset_of(url).items(),
        lambda: open_image(Path(url), url),
        lambda: resolve(url, {}).load(),
        lambda: File(path=url, architecture="toy").load(),
        lambda: Arrays(path=url).items(),
        lambda: Experiment.read(Path(url)),
        lambda: Run(url),
    ):
        with pytest.raises((HeatproofError, TypeError)):
            read()


# Files of a run ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("value", ["0", "-3", "1e400", '"two"', "[]", "2.5", "null"])
def test_a_decision_that_would_never_end_or_compute_nothing_is_named(value, tmp_path):
    Decisions(tmp_path).decide("passes", 2)
    (file,) = (tmp_path / "decided").iterdir()
    file.write_text(f'{{"name": "passes", "value": {value}}}')
    with pytest.raises(DataError, match="Delete this file"):
        Decisions(tmp_path).get("passes")


def test_a_failure_whose_unit_is_no_text_is_named(tmp_path):
    run = made(tmp_path / "run", ("u1",))
    (run.path / "failed").mkdir()
    (run.path / "failed" / "u1.json").write_text(json.dumps([{"unit": {}, "what": "w", "reason": "r"}]))
    with pytest.raises(DataError, match="list of failures"):
        run.failures()


@pytest.mark.parametrize("content", ["[]", "{}", "5", '["x"]', '[{"model": "m"}]'])
def test_a_report_whose_sentences_are_none_is_named(content, tmp_path):
    run = made(tmp_path / "run", ("u1",))
    (run.path / "tables").mkdir()
    (run.path / "tables" / "verdict.json").write_text(content)
    (run.path / "tables" / "summary.csv").write_bytes(b"\xff\x00,\n1")
    for read in (lambda: run.verdict, run.summary):
        with pytest.raises(DataError, match="heatproof report"):
            read()


def test_a_manifest_of_brackets_without_end_is_named(tmp_path):
    run = made(tmp_path / "run", ("u1",))
    (run.path / "run.json").write_text("[" * 200_000)
    with pytest.raises(DataError, match="expected JSON"):
        run.manifest()


def test_a_part_whose_unit_is_missing_is_named_and_set_aside(tmp_path):
    run = made(tmp_path / "run", ("u1", "u2"))
    part = run.part_path("u1")
    table = pq.read_table(part)
    pq.write_table(table.set_column(0, "unit", pa.array([None], pa.string())).replace_schema_metadata(None), part)
    assert [fault.unit for fault in run.set_aside()] == ["u1"]


def test_a_part_without_a_checksum_whose_records_are_damaged_is_named_and_set_aside(tmp_path):
    run = made(tmp_path / "run", ("u1", "u2"))
    part = run.part_path("u1")
    pq.write_table(pq.read_table(part), part)  # as an earlier version wrote it
    content = bytearray(part.read_bytes())
    page = pq.read_metadata(part).row_group(0).column(20).data_page_offset
    content[page : page + 8] = b"\xff" * 8
    part.write_bytes(content)
    with pytest.raises(DataError, match=r"u1\.parquet: expected a whole part of this run, got records that cannot be read"):
        run.records()
    assert [fault.unit for fault in run.set_aside()] == ["u1"]
    assert run.records().num_rows == 1


# Weights and arrays ───────────────────────────────────────────────────────────────────────────────


class Attack:
    """What runs code when it is unpickled."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return Path.touch, (self.place,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_refused_and_never_runs(zipped, tmp_path):
    ran = tmp_path / "ran"
    torch.save({"w": Attack(ran)}, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    (tmp_path / "y.pt").write_bytes(pickle.dumps(Attack(ran)))
    for name in ("x.pt", "y.pt"):
        with pytest.raises(ModelError, match="refused, because loading it would run code"):
            _read(tmp_path / name)
    assert not ran.exists()


def _repacked(source, target, change=lambda name, content: content):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))


def test_a_compressed_checkpoint_which_may_hold_any_number_of_bytes_is_refused(tmp_path):
    torch.save({"w": torch.ones(3)}, tmp_path / "x.pt")
    _repacked(tmp_path / "x.pt", tmp_path / "bomb.pt")
    with pytest.raises(ModelError, match="refused, because it is compressed"):
        _read(tmp_path / "bomb.pt")


def test_an_archive_whose_directory_is_damaged_is_no_checkpoint(tmp_path):
    torch.save({"w": torch.ones(3)}, tmp_path / "x.pt")
    (tmp_path / "x.pt").write_bytes((tmp_path / "x.pt").read_bytes().replace(b"PK\x01\x02", b"PK\x01\x03"))
    with pytest.raises(ModelError, match="damaged archive"):
        _read(tmp_path / "x.pt")


def test_arrays_that_would_fill_the_memory_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("heatproof.data.arrays.BOMB", 10**7)
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "|u1", "fortran_order": False, "shape": (30, 1000, 1000)})
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("images.npy", "w") as file:
        file.write(content.getvalue())
        for _ in range(30):
            file.write(bytes(10**6))
    with pytest.raises(DataError, match=r"images\.npy would fill 30 MB, over 100 times"):
        Arrays(path=tmp_path / "x.npz", images="images", labels="", classes="").items()


# Names and links ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "..", ".x", "a\\b", "", "x\n", "\x00"])
def test_the_name_of_a_run_leads_nowhere_else(name):
    with pytest.raises(SettingsError, match="name"):
        Experiment.parse({"name": name, "dataset": "photos", "models": ["toy"], "methods": ["gradient"], "metrics": ["sparseness"]})


def test_figures_of_a_metric_of_any_name_stay_in_the_folder_of_the_report():
    class Named:
        def __init__(self, name):
            self.matrix = self.metric = self
            self.name = name

    names = _file_names([Named("../../x"), Named("/etc/x"), Named("sparseness"), Named("a" * 500), Named("../../x")])
    assert names == ["-x-1", "-etc-x", "sparseness", "a" * 80, "-x-2"]


def test_folders_and_files_of_a_run_that_are_links_out_of_it_are_refused(tmp_path):
    elsewhere, run, other = tmp_path / "elsewhere", made(tmp_path / "run", ("u1",)), made(tmp_path / "other", ("u2",))
    elsewhere.mkdir()
    (tmp_path / "secret").write_text("mine")
    (run.path / "images").mkdir()
    (run.path / "images" / "x.png").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match=r"x\.png: expected a file of the run, got a link"):
        merge([run, other], tmp_path / "out")
    (run.path / "images" / "x.png").unlink()
    (run.path / "tables").symlink_to(elsewhere)
    for write in (lambda: check_links(run.path), lambda: merge([run, other], tmp_path / "out2"), lambda: compact(run)):
        with pytest.raises(UsageError, match=r"tables: expected a folder inside .*, got a link"):
            write()
    assert list(elsewhere.iterdir()) == []


def test_an_entry_of_a_file_of_images_or_of_a_run_leads_nowhere_else(tmp_path):
    run = made(tmp_path / "run", ("u1",))
    for name in ("../x", "/etc/passwd", "a/b", "..", ""):
        for path in (run.part_path, run.maps_path, run.image_path, run.failure_path):
            with pytest.raises(UsageError, match="expected a key"):
                path(name)
        with pytest.raises(UsageError, match="expected a key"):
            run.write_part(name, [record(unit=name)])
