from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import page, results
from benchmarks.harness import Row
from tests.unit.benchmarks.test_harness import row

MACHINE = {"cpu": "a CPU", "cores": 2, "bf16": True, "amx": False, "threads": 2, "torch": "2.9"}


def made(group: str, case: str, network: str, ratio: float | None) -> Row:
    return replace(row(group, case, network, ratio), machine=MACHINE)


ROWS = [
    made("memory", "peak", "vgg16", None),
    made("integrated_gradients", "plain", "resnet50", 1.0),
    made("integrated_gradients", "exact", "resnet50", 1.3),
    made("integrated_gradients", "exact", "vgg16", 1.2),
    made("growth", "side, time", "resnet18", 4.1),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    results.add(ROWS, tmp_path / "results.json")
    return tmp_path / "results.json"


def test_rows_survive_the_file(path: Path) -> None:
    assert results.read(path) == ROWS
    assert results.read(path.with_name("missing.json")) == []


def test_a_rerun_replaces_the_rows_of_its_group_and_network_and_no_others(path: Path) -> None:
    again = made("integrated_gradients", "fast", "resnet50", 2.5)
    results.add([again], path)
    assert results.read(path) == [ROWS[0], again, ROWS[3], ROWS[4]]


def test_each_row_keeps_the_machine_it_was_run_on(path: Path) -> None:
    results.add([replace(ROWS[4], machine={**MACHINE, "amx": True})], path)
    assert [found.machine["amx"] for found in results.read(path)] == [False, False, False, False, True]
    assert results.machine().keys() == MACHINE.keys()


def test_the_page_shows_what_is_there_and_says_what_is_not() -> None:
    text = page.text(ROWS, "speed.svg")
    assert "![" in text
    assert "| work | resnet50 | exact | peer 1.0 | 1.30 | 1.30 to 1.30 | ≥ 1.1 | yes |" in text
    assert "| work | vgg16 | peak | peer 1.0 | — | — | ≤ 0.1 | — |" in text
    assert text.count("Run on a CPU, 2 cores, bfloat16 instructions, no AMX, 2 threads, torch 2.9.") == 3
    assert "Not run: a CPU without bfloat16 instructions, a CPU with AMX, CUDA, smoothgrad against captum and zennit" in text


def test_the_page_without_results_says_how_to_get_them() -> None:
    assert "make benchmarks" in page.text([], "speed.svg")
    assert "![" not in page.text([ROWS[0]], "speed.svg")


def test_the_picture_carries_the_digest_of_what_it_shows(tmp_path: Path) -> None:
    page.draw(ROWS, tmp_path / "speed.svg")
    drawn = (tmp_path / "speed.svg").read_text(encoding="utf-8")
    assert page.digest(ROWS) in drawn
    assert page.digest(ROWS) == page.digest(ROWS[1:]), "memory is not drawn"
    assert page.digest(ROWS) != page.digest(ROWS[2:])
