"""The command `heatproof report RUN`, which writes the report of a run."""

from pathlib import Path
from typing import Annotated

import typer

from heatproof.cli.console import out


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, such as runs/demo.", show_default=False)],
) -> None:
    """Write the report of an existing run again: one page with its figures and tables."""
    from heatproof.report import build

    out.print(f"[bold]report[/]  {build(run)}", soft_wrap=True)
