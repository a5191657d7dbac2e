"""Makes `python -m heatproof.cli` the same as the command `heatproof`."""

from heatproof.cli.main import run

run()
