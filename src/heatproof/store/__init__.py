"""What a run leaves on disk: one immutable part per unit, raw maps, images, facts and failures."""

from heatproof.store.run import Run

__all__ = ["Run"]
