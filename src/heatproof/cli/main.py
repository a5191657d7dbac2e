"""The command line. Thin: every command parses, calls one function of a lower floor, and prints what came back.

Exit codes: 0 fine · 1 a run or its data failed · 2 the call was wrong · 130 stopped by the user. An error is one line plus the
remedy; `--debug` shows the traceback instead.
"""

import os
import sys
from typing import Annotated

import typer

from heatproof.cli import catalogue, demo, evaluate, explain, report, reproduce
from heatproof.cli.console import problem, show_log

app = typer.Typer(
    name="heatproof",
    help="Attribution maps for neural networks, and proof of what they are worth on your own model and data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from heatproof import __version__

        typer.echo(f"heatproof {__version__}")
        raise typer.Exit


@app.callback()
def main(
    debug: Annotated[bool, typer.Option("--debug", help="Show the full traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Options that stand before the command."""
    show_log()
    if debug:
        os.environ["HEATPROOF_DEBUG"] = "1"


app.command("demo")(demo.demo)
app.command("explain")(explain.explain)
app.command("evaluate")(evaluate.evaluate)
app.command("report")(report.report)
app.command("reproduce")(reproduce.reproduce)
app.command("methods")(catalogue.methods)
app.command("metrics")(catalogue.metrics)
app.command("models")(catalogue.models)
app.command("data")(catalogue.data)


def run() -> None:
    """Entry point of the `heatproof` command."""
    from heatproof.core.errors import HeatproofError, UsageError

    try:
        app()
    except HeatproofError as error:
        if os.environ.get("HEATPROOF_DEBUG"):
            raise
        problem(str(error))
        sys.exit(2 if isinstance(error, UsageError) else 1)
