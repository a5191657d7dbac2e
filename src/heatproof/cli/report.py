"""The command `heatproof report RUN`, which writes the report of a run."""

from pathlib import Path
from typing import Annotated

import typer

from heatproof.cli.console import named, out
from heatproof.cli.verdict import print_verdict


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, such as runs/demo.", show_default=False)],
) -> None:
    """Write the report of an existing run again: one page with its figures and tables."""
    from heatproof.report import RunAnalysis, build

    analysis = RunAnalysis.of(run)
    page = build(analysis)
    print_verdict(analysis)
    named(out, "\nreport", str(page))
