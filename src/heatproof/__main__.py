"""`python -m heatproof` is the command `heatproof`, for a Python whose scripts are not on the path."""

from heatproof.cli.main import run

if __name__ == "__main__":  # the worker processes of a run import this module, too
    run()
