"""The command `heatproof`. Every subcommand parses its arguments, calls one function of the library and prints the result.

The exit code is 0 after success, 1 if a run or its data failed, 2 if the call was wrong, and 130 or 143 if the command was stopped
by SIGINT or SIGTERM, which takes ten seconds at most.
An error message is one line that includes the remedy; with `--debug`, the traceback is shown instead.
"""

import os
import sys
from typing import Annotated, Any

import typer

from heatproof.cli import advise, catalogue, demo, evaluate, explain, judge, report, reproduce, runs
from heatproof.cli.console import problem, show_log
from heatproof.cli.help import Command, Group
from heatproof.cli.stopping import stopping_once
from heatproof.core.loading import collect_rarely

app = typer.Typer(
    name="heatproof",
    help="Attribution maps for neural networks, and proof of what they are worth on your own model and data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(requested: bool) -> None:
    """Print the version and exit, if it is requested."""
    if requested:
        from heatproof import __version__

        typer.echo(f"heatproof {__version__}")
        raise typer.Exit


@app.callback()
def main(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Read the options that stand before the name of the command."""
    show_log()
    if debug:
        os.environ["HEATPROOF_DEBUG"] = "1"


app.command("demo", cls=Command)(demo.demo)
app.command("advise", cls=Command)(advise.advise)
app.command("explain", cls=Command)(explain.explain)
app.command("evaluate", cls=Command)(evaluate.evaluate)
app.command("judge", cls=Command)(judge.judge)
app.command("report", cls=Command)(report.report)
app.command("reproduce", cls=Command)(reproduce.reproduce)
app.add_typer(runs.app, name="runs")
app.command("methods", cls=Command)(catalogue.methods)
app.command("metrics", cls=Command)(catalogue.metrics)
app.command("models", cls=Command)(catalogue.models)
app.command("data", cls=Command)(catalogue.data)


def run() -> None:
    """Run the command `heatproof`, and turn errors of the call and of the library into one line and an exit code."""
    from heatproof.core.errors import HeatproofError, UsageError

    collect_rarely()
    try:
        with stopping_once():
            code = app(standalone_mode=False, prog_name="heatproof")
    except HeatproofError as error:
        if os.environ.get("HEATPROOF_DEBUG"):
            raise
        problem(str(error))
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except OSError as error:  # of a path that was given, such as a name that is too long, or of a disk that fails
        if os.environ.get("HEATPROOF_DEBUG"):
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        problem(str(UsageError(f"{where}expected a file or folder that can be used, got {error.strerror or error}; check it")))
        sys.exit(2)
    except Exception as error:
        if not hasattr(error, "format_message"):  # whatever the parser did not raise
            raise
        if error.format_message():  # empty where the call had no words, and the help text was printed
            problem(_of_the_parser(error))
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


def _of_the_parser(error: Any) -> str:
    """The message of the parser on one line, with the command that explains how to call."""
    said = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(".?")
    command = error.ctx.command_path if getattr(error, "ctx", None) else "heatproof"
    return f"{said[:1].lower()}{said[1:]}{'?' if 'Did you mean' in said else ''}; see {command} --help"
