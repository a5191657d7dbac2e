"""The folder of a run: its manifest, one immutable part per unit, maps, images and failures."""

from heatproof.store.manifest import Manifest
from heatproof.store.run import Run

__all__ = ["Manifest", "Run"]
