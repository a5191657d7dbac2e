"""`heatproof report RUN`."""

from pathlib import Path
from typing import Annotated

import typer

from heatproof.cli.console import out


def report(run: Annotated[Path, typer.Argument(help="Folder of a run, such as runs/demo.", show_default=False)]) -> None:
    """Write the report of a run again: one page, its figures and tables."""
    from heatproof.report import build

    out.print(f"[bold]report[/]  {build(run)}", soft_wrap=True)
