"""The command `heatproof` as a process of its own."""

import sys

HEATPROOF = [sys.executable, "-P", "-m", "heatproof"]
"""Of which the working directory is not on the path of imports, as for an installed script."""
WITHOUT_PAGE = [
    sys.executable,
    "-P",
    "-c",
    """
from heatproof import pipeline
from heatproof.cli.main import run
pipeline.report_of = lambda summary, analysis: summary.path / "report.html"
run()
""",
]
"""The command in which the page is not written anew: what is printed comes from the rows."""
