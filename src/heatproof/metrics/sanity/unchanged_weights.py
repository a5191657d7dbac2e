"""What a score says where randomising left weights as they were: without new weights, a map that stays the same is no finding."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from heatproof.edits.randomise import Block, Unchanged
from heatproof.metrics.scores import Scores, masked


def about_unchanged(scores: Scores, kept: Unchanged, all_blocks: Sequence[Block]) -> Scores:
    """Set the scores to NaN if randomising changed no weight at all, and add a note if it left whole blocks as they were."""
    nothing = torch.full_like(scores.values, len(kept.blocks) == len(all_blocks), dtype=torch.bool)
    notes = tuple("; ".join(filter(None, (note, kept.note))) for note in scores.notes)
    return masked(replace(scores, notes=notes), nothing, "no weight of the network changed: its new weights are the old ones")
