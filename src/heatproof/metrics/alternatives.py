"""The best of several scores of the same maps: where several answers are right, a map is right that gives one of them."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from heatproof.core.records import Direction
from heatproof.metrics.scores import Scores


def best_of(scores: Sequence[Scores], better: Direction) -> Scores:
    """For each image the best score, with its components and its note; a score that is missing is not the best unless all are.

    >>> import torch
    >>> from heatproof.core.records import Direction
    >>> from heatproof.metrics import Scores
    >>> from heatproof.metrics.alternatives import best_of
    >>> first, second = Scores.of(torch.tensor([0.5, torch.nan])), Scores.of(torch.tensor([0.25, 1.0]))
    >>> best_of([first, second], Direction.HIGHER).values
    tensor([0.5000, 1.0000])
    """
    if len(scores) == 1:
        return scores[0]
    sign = 1 if better == Direction.HIGHER else -1
    values = torch.stack([each.values for each in scores])
    best = (sign * values).nan_to_num(nan=-torch.inf).argmax(0)

    def chosen(columns: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.stack(list(columns))[best, torch.arange(len(best), device=best.device)]

    return replace(
        scores[0],
        values=chosen([each.values for each in scores]),
        error=chosen([each.error for each in scores]),
        curve=None if scores[0].curve is None else chosen([each.curve for each in scores if each.curve is not None]),
        components={name: chosen([each.components[name] for each in scores]) for name in scores[0].components},
        notes=tuple(scores[k].notes[i] if scores[k].notes else "" for i, k in enumerate(best.tolist())),
    )
