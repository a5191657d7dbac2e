"""`python -m heatproof.cli` is the `heatproof` command."""

from heatproof.cli.main import run

run()
