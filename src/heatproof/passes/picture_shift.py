"""A shift of the input after which input × gradient shows a picture of one's choice.

    m = clip(ŝ / ∇f(x) − x, −l, l),    (x + m) ⊙ ∇f2(x + m) = (x + m) ⊙ ∇f(x) = ŝ wherever nothing was clipped

x is the image, m the shift, l its largest magnitude, ŝ the picture, f the explained score of the network, and f2 that of the
network which compensates for the shift (see `edits/shift.py`). Where the gradient is zero, nothing can be shown and m = 0.
Source: Kindermans et al., "The (un)reliability of saliency methods", 2017.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.models.model import Model
from heatproof.passes.gradient import gradient
from heatproof.passes.memory import in_chunks


def picture_shift(
    model: Model,
    images: Float[Tensor, "b c *space"],
    target: Int[Tensor, " b"],
    picture: Float[Tensor, " *places"],
    limit: float = 0.3,
) -> Float[Tensor, "b c *space"]:
    """The shift of each image. Cost: one forward and one backward pass an image.

    Args:
        model: The network f.
        images: The images `[b, c, …]` in model space.
        target: The class to explain for each image `[b]`.
        picture: The picture, one value for each place; it is scaled so that its mean magnitude is that of the image's own
            input × gradient.
        limit: The largest shift, as a share of the range of the bounds.

    Returns:
        The shifts `[b, c, …]`.
    """

    def compute(rows: range) -> Tensor:
        part = slice(rows.start, rows.stop)
        return gradient(model, images[part], target[part])[0]

    slope = torch.cat([chunk for _, chunk in in_chunks(model, images, len(images), compute, "gradient")])
    own = (images * slope).abs().mean(tuple(range(1, images.ndim)), keepdim=True)
    shown = picture.to(images) / picture.to(images).abs().mean() * own
    lower, upper = model.bounds.like(images)
    most = limit * (upper - lower)
    wanted = torch.where(slope != 0, shown / slope - images, 0).nan_to_num(0)
    return torch.maximum(torch.minimum(wanted, most), -most)
