"""The result of a metric: one value per image, with its error, curve, components and notes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.finite import finite


@dataclass(frozen=True, eq=False)
class Scores:
    """The result of scoring a batch: one value per image, never an average over images.

    values      The score of each image `[b]`.
    error       The Monte Carlo standard error of each score `[b]`: of the whole score, as it varies between seeds. NaN where
                the metric estimates none, because it draws no random numbers or only once.
    curve       The points of the curve that the score summarises `[b, p]`, or None if the metric has no curve.
    components  Further numbers per image `[b]`, by name.
    details     Facts about the whole batch, as plain JSON values.
    maps        Further maps `[b, c, h, w]` that the score was computed from, by name, for a figure.
    notes       One text per image: the reason why its score is NaN, or "".

    >>> import torch
    >>> from heatproof.metrics import Scores
    >>> scores = Scores.of(torch.tensor([0.5, torch.nan]), missing="the map is zero everywhere")
    >>> scores.values
    tensor([0.5000,    nan])
    >>> scores.notes
    ('', 'the map is zero everywhere')
    """

    values: Float[Tensor, " b"]
    error: Float[Tensor, " b"]
    curve: Float[Tensor, "b p"] | None = None
    components: Mapping[str, Float[Tensor, " b"]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    maps: Mapping[str, Float[Tensor, "b c h w"]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        values: Float[Tensor, " b"],
        *,
        error: Tensor | None = None,
        curve: Tensor | None = None,
        components: Mapping[str, Tensor] | None = None,
        details: Mapping[str, Any] | None = None,
        maps: Mapping[str, Tensor] | None = None,
        missing: str = "",
    ) -> "Scores":
        """Build scores from values `[b]`; each image whose value is NaN receives the note `missing`."""
        notes = tuple(missing if bad else "" for bad in values.isnan().tolist())
        unknown = torch.full_like(values, torch.nan)
        return cls(values, unknown if error is None else error, curve, components or {}, details or {}, maps or {}, notes)


def without_broken(scores: Scores, *maps: Tensor) -> Scores:
    """Apply the NaN policy: set the scores of each image with a map that is not finite to NaN, and note the reason.

    The scores of the other images are returned unchanged.
    """
    broken = torch.stack([~finite(values) for values in maps]).any(0)
    return masked(scores, broken, "the map holds NaN or infinity")


def masked(scores: Scores, where: Tensor, reason: str) -> Scores:
    """Set all values of the masked images to NaN, and write the reason, unless it is empty, into their notes."""
    if not bool(where.any()):
        return scores
    nan = torch.nan
    return replace(
        scores,
        values=scores.values.masked_fill(where, nan),
        error=scores.error.masked_fill(where, nan),
        curve=None if scores.curve is None else scores.curve.masked_fill(where[:, None], nan),
        components={key: value.masked_fill(where, nan) for key, value in scores.components.items()},
        notes=tuple(reason or note if bad else note for bad, note in zip(where.tolist(), scores.notes, strict=True)),
    )


NEAR_ZERO = 0.1
"""The smallest clean score that others are relative to, as a share of the change when the whole image is replaced."""


def relative_to_clean(scores: Scores, clean: Float[Tensor, " b"], replaced: Float[Tensor, " b"]) -> Scores:
    """Divide the scores, errors and curves of changed images by the score of the clean image, where this is meaningful.

    A clean score of zero or below has no multiple that means "more", and one that is small against the effect of the image itself
    is small by chance: its images would outweigh all others in a mean. The values are NaN there, and a note says why. Which images
    these are depends on the image and on the fill, but on no map, so that all methods are compared on the same images.

    Args:
        scores: The scores in the unit of the network's output.
        clean: The score of each clean image.
        replaced: The score of each image when all of it is replaced.

    >>> import torch
    >>> from heatproof.metrics.scores import Scores, relative_to_clean
    >>> scores = Scores.of(torch.tensor([6.0, 6.0, 6.0]))
    >>> relative_to_clean(scores, torch.tensor([8.0, -8.0, 0.5]), torch.zeros(3) - 9).values
    tensor([0.7500,    nan,    nan])
    """
    small = clean < NEAR_ZERO * (clean - replaced).abs()
    remedy = "measure an output that is never negative, as the probability of a class is"
    divided = replace(
        scores,
        values=scores.values / clean,
        error=scores.error / clean,
        curve=None if scores.curve is None else scores.curve / clean[:, None],
    )
    for reason, where in {
        f"the clean score is small against the change of the score when the whole image is replaced; {remedy}": small,
        f"the clean score is negative, so that nothing can be relative to it; {remedy}": clean < 0,
        f"the clean score is zero, so that nothing can be relative to it; {remedy}": clean == 0,
        "the network answered NaN or infinity": ~(clean + scores.values).isfinite(),
    }.items():
        divided = masked(divided, where, reason)
    return divided
