"""The line that shows the progress of a run, at moments of a clock that the test sets."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from heatproof.cli.console import err
from heatproof.evaluation.run import Progress
from heatproof.pipeline import progress as module
from heatproof.pipeline.progress import ProgressLine, progress_bar

START = Progress(0, 88, 0, 1000)


def after(passes, done=12, label="Integrated gradients"):
    return Progress(done, 88, passes, 1000, last=SimpleNamespace(label=label))


class Clock:
    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def line(clock):
    return ProgressLine(clock)


def test_until_the_first_unit_is_done_the_line_says_that_the_run_starts(line, clock):
    assert line.text() == "starting · 0:00 elapsed"
    clock.time = 20
    line.update(START)
    assert line.text() == "starting · 0:20 elapsed"
    assert "remaining" not in line.text()


def test_the_time_remaining_is_the_time_per_pass_and_never_counts_up_between_units(line, clock):
    line.update(START)
    clock.time = 80
    line.update(after(250))
    assert line.text() == "12/88 units · 25 % · 1:20 elapsed · 4:00 remaining"
    texts = []
    for clock.time in (80, 140, 319, 320, 1000):
        texts.append(line.text().rpartition(" · ")[2])
    assert texts == ["4:00 remaining", "3:00 remaining", "0:01 remaining", "0:00 remaining", "0:00 remaining"]


def test_loading_the_networks_is_elapsed_time_and_no_part_of_the_estimate(line, clock):
    clock.time = 100
    line.update(START)
    clock.time = 110
    line.update(after(500))
    assert line.text() == "12/88 units · 50 % · 1:50 elapsed · 0:10 remaining"


def test_the_first_units_which_measure_the_start_are_not_enough_for_an_estimate(line, clock):
    line.update(START)
    clock.time = 30
    line.update(after(1))
    assert line.text() == "12/88 units · < 1 % · 0:30 elapsed"


def test_a_finished_run_has_no_time_remaining(line, clock):
    line.update(START)
    clock.time = 60
    line.update(after(1000, done=88))
    assert line.text() == "88/88 units · 100 % · 1:00 elapsed"


def test_a_run_that_was_finished_before_has_nothing_to_start(line):
    line.update(Progress(88, 88, 0, 0))
    assert line.text() == "88/88 units · 100 % · 0:00 elapsed"


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_the_line_is_one_line_at_any_width(line, clock, width):
    line.update(START)
    clock.time = 5000
    line.update(after(250, label="SmoothTaylor, σ 0.5, R 100, of integrated gradients"))
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(line)
    assert captured.get().count("\n") == 1
    assert len(captured.get().rstrip("\n")) <= width
    assert ("━" in captured.get()) == (width >= 80)
    assert ("remaining" in captured.get()) == (width >= 60)


def test_where_the_output_is_no_terminal_a_line_is_printed_now_and_then(monkeypatch, capsys):
    monkeypatch.setattr(module.time, "monotonic", lambda: 0.0)
    with progress_bar(err) as show:
        show(START)
        for passes in range(10, 1001, 10):
            show(after(passes, done=88 * passes // 1000))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "starting · 0:00 elapsed"
    assert lines[-1] == "88/88 units · 100 % · 0:00 elapsed · Integrated gradients"
    assert len(lines) == 11


def test_where_the_output_is_no_terminal_a_model_that_is_stopped_is_announced(capsys):
    with progress_bar(err) as show:
        show(replace(START, stopped=("the model was stopped",)))
    assert capsys.readouterr().err.startswith("the model was stopped\n")
