"""Fifteen everyday tasks, done with heatproof and with the package that people use for them; `task.py` says how they are judged."""
