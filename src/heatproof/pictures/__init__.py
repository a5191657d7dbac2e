"""Pictures of maps and of scores, drawn from numpy arrays."""
