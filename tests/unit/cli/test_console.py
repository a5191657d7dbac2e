"""Texts of strangers on a terminal: neither markup nor control characters in them have an effect."""

import io

import pytest

from heatproof.cli.console import PlainConsole, definitions, named, paragraph, problem, table

HOSTILE = "[red]x[/red] [/nosuch] [link=http://x]y[/link] :smile: \x1b]0;title\x07 \x1b[2J \u202e \r"
SHOWN = "[red]x[/red] [/nosuch] [link=http://x]y[/link] :smile: "


@pytest.fixture
def screen(monkeypatch):
    """A terminal, as a file."""
    screen = io.StringIO()
    for name in ("out", "err"):
        console = PlainConsole()
        console.file, console._width, console._force_terminal = screen, 300, True
        monkeypatch.setattr(f"heatproof.cli.console.{name}", console)
    return screen


def test_a_text_is_shown_as_it_is_wherever_it_stands(screen):
    from heatproof.cli import console

    problem(HOSTILE)
    named(console.out, "term", HOSTILE)
    paragraph(HOSTILE, style="bold")
    console.out.print(table(HOSTILE, HOSTILE, rows=[(HOSTILE,)]))
    console.out.print(definitions(HOSTILE, [(HOSTILE, HOSTILE, HOSTILE)]))
    console.out.print(HOSTILE)
    printed = screen.getvalue()
    assert printed.count(SHOWN) >= 9, printed
    for sequence in ("\x1b]0", "\x07", "\x1b[2J", "\u202e", "\r", "\x1b]8"):
        assert sequence not in printed


def test_breaks_of_lines_and_hard_spaces_stay(screen):
    from heatproof.cli import console

    console.out.print("a\nb\u00a0c")
    assert screen.getvalue() == "a\nb\u00a0c\n"
