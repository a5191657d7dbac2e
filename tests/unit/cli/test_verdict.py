"""What a run ends with on the terminal: the sentences at the top of its report, and its table of scores."""

import pytest
from typer.testing import CliRunner

from heatproof.cli import console
from heatproof.cli.main import app
from heatproof.cli.verdict import SIGNS, print_verdict
from heatproof.report import RunAnalysis
from heatproof.report.analysis import analyse
from heatproof.report.headline import headline
from heatproof.report.score_matrix import read_scores
from heatproof.report.table_cells import summary_table
from tests.unit.report.synthetic_run import write_synthetic_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_synthetic_run(tmp_path_factory.mktemp("runs") / "demo", size=48)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr("heatproof.report.analysis.sensible_draws", lambda n: 200)


def printed(run, capsys, monkeypatch, width):
    monkeypatch.setattr(console.out, "width", width)
    print_verdict(RunAnalysis.of(run.path))
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [60, 100])
def test_the_verdict_is_that_of_the_report_and_fits_the_terminal(run, capsys, monkeypatch, width):
    page = printed(run, capsys, monkeypatch, width)
    manifest = run.manifest()
    (scores,) = read_scores(run, manifest)
    answer = headline(scores, analyse(scores, manifest.looks), manifest)
    words = " ".join(page.split())
    for sentence in (answer.lead, *answer.details, *answer.caveats):
        assert " ".join(sentence.split()) in words
    assert max(map(len, page.splitlines())) <= width
    assert "…" not in page


def test_every_method_stands_in_the_table_with_its_scores_and_the_sign_of_its_mark(run, capsys, monkeypatch):
    page = printed(run, capsys, monkeypatch, 300)
    manifest = run.manifest()
    (scores,) = read_scores(run, manifest)
    analyses = analyse(scores, manifest.looks)
    table = summary_table(scores, analyses)
    rows = {line.split("  ")[0]: line for line in page.splitlines()}
    for line in (*table.methods, *table.controls):
        cells = line.cells[: len(analyses)]
        for cell in cells:
            assert cell.text + (f" {SIGNS[cell.mark][0]}" if cell.mark in SIGNS and not cell.sub else "") in rows[line.method.label]
        first = cells[0]
        sign = f" {SIGNS[first.mark][0]}" if first.mark in SIGNS else ""
        assert f"{first.text} {first.sub}{sign}  " in f"{rows[line.method.label]}  "
    assert "* best, = tied with the best" in page


@pytest.mark.parametrize("width", [60, 100])
def test_no_line_ends_inside_an_interval_or_before_a_per_cent_sign(run, capsys, monkeypatch, width):
    lines = [line.rstrip() for line in printed(run, capsys, monkeypatch, width).splitlines()]
    assert not [line for line in lines if line.count("[") != line.count("]") or line.startswith("%")]


def test_of_many_metrics_only_those_of_the_answer_are_shown(run, capsys, monkeypatch):
    monkeypatch.setattr("heatproof.cli.verdict.SHOWN", 3)
    page = printed(run, capsys, monkeypatch, 300)
    assert "The report shows 3 further metrics." in page
    assert "Correlation" not in page


def test_the_command_report_prints_the_verdict_and_then_the_path(run, monkeypatch):
    monkeypatch.setattr("heatproof.report.build", lambda analysis: analysis.run.path / "report.html")
    page = CliRunner().invoke(app, ["report", str(run.path)], catch_exceptions=False).output
    assert page.index("On these 12 photographs") < page.index("best") < page.index("report  ")
    assert page.rstrip().endswith("report.html")


def test_what_cannot_be_shown_of_any_network_is_said_once_after_all(tmp_path, capsys, monkeypatch):
    two = write_synthetic_run(tmp_path, images=4, size=16, methods=(0, 2, 8), models=("First", "Second"), smoke=True)
    page = printed(two, capsys, monkeypatch, 100)
    assert page.count("This is a smoke run") == 1
    assert page.index("Second") < page.index("This is a smoke run")
