"""Scores of images in which one rectangle is absent, computed in the affected region alone where that pays."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.numerics.wide import wide_type
from heatproof.passes.forward import checked_scores
from heatproof.passes.incremental import images_at_once
from heatproof.passes.masked_scores import MaskedInputs
from heatproof.passes.patched_images import PatchedImages
from heatproof.perturb.fills.base import Imputation

BLOCK_BYTES = 2**25
"""The bytes of rectangles of one image that are made at a time."""


def takes_boxes(inputs: MaskedInputs) -> bool:
    """Whether single rectangles of these inputs can be replaced: of images, by a fill that does not depend on what is present."""
    return inputs.images.ndim == 4 and inputs.target.ndim == 1 and not isinstance(inputs.fill, Imputation)


def box_scores(inputs: MaskedInputs, boxes: Int[Tensor, "n 2 2"], draws: range) -> Float[Tensor, "d b n"]:
    """The scores of each image with each of n rectangles absent, for some draws of the fill.

    Cost: one forward pass for each rectangle and draw, or the affected share of it.

    Args:
        inputs: images `[b, c, h, w]` and the fill; see `takes_boxes`.
        boxes: the first row and column of each rectangle, and those after its last. Sizes may differ; the largest height and width
            decide what a partial pass costs.
        draws: the numbers of the fill's draws.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.box_scores import box_scores
    >>> from heatproof.passes.masked_scores import MaskedInputs
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import Black
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> inputs = MaskedInputs(model, images, torch.tensor([3, 5]), Draws.for_images(0, images), Black())
    >>> box_scores(inputs, torch.tensor([[[0, 0], [7, 7]], [[20, 20], [28, 28]]]), range(1)).shape
    torch.Size([1, 2, 2])
    """
    height, width = (boxes[:, 1] - boxes[:, 0]).amax(0).tolist()
    at_once, scores = images_at_once(inputs.model, inputs.images, (height, width)), []
    for start in range(0, len(inputs.images), at_once):
        part = inputs.rows(range(start, min(start + at_once, len(inputs.images))))
        scores.append(_of_images(part, boxes.cpu(), (height, width), draws))
    return torch.cat(scores, 1)


def _of_images(inputs: MaskedInputs, boxes: Tensor, size: tuple[int, int], draws: range) -> Tensor:
    images, n = inputs.images, len(boxes)
    room = torch.tensor(images.shape[2:]) - torch.tensor(size)
    corners = torch.minimum(boxes[:, 0], room)
    patched = PatchedImages(inputs.model, images, size, candidates=n, times=len(draws))
    block = max(1, BLOCK_BYTES // (images[:1, :, : size[0], : size[1]].nbytes))
    scores = images.new_empty(len(draws), len(images), n, dtype=wide_type(images.dtype))
    for d, draw in enumerate(draws):
        fill = inputs.fill_of_draw(draw)
        for first in range(0, n, block):
            at = slice(first, first + block)
            rectangles = torch.stack(
                [_rectangle(images, fill, *each, size) for each in zip(corners[at].tolist(), boxes[at].tolist(), strict=True)], 1
            )
            outputs = patched.outputs(corners[at].to(images.device).expand(len(images), -1, 2), rectangles)
            p = outputs.shape[1]
            scores[d, :, at] = checked_scores(inputs.model, outputs.flatten(0, 1), inputs.target.repeat_interleave(p)).view(-1, p)
    return scores


def _rectangle(images: Tensor, fill: Tensor, corner: list[int], box: list[list[int]], size: tuple[int, int]) -> Tensor:
    """The fill inside the box and the image around it, `[b, c, h, w]` from the corner on."""
    (i, j), (h, w), ((top, left), (bottom, right)) = corner, size, box
    if (top, left, bottom, right) == (i, j, i + h, j + w):
        return fill[:, :, i : i + h, j : j + w]
    rectangle = images[:, :, i : i + h, j : j + w].clone()
    rectangle[:, :, top - i : bottom - i, left - j : right - j] = fill[:, :, top:bottom, left:right]
    return rectangle
