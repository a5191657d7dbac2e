"""Several variants of each image as one stream of passes through a network.

    passes (0, 0), (0, 1) … (0, n_0 − 1), (1, 0) …   of (image i, variant v), v < n_i, cut into chunks that fit in memory

A variant is whatever a caller makes of an image: the image with some of its pixels replaced, a draw of noise added to it, the image
explained for another class. A chunk of the stream may end inside the variants of an image and may hold those of several. Its inputs
are built when the chunk's turn comes, so that memory is that of one chunk, whatever the number of variants.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import TypeVar

from torch import Tensor

from heatproof.models.model import Model
from heatproof.passes.memory import Kind, in_chunks

T = TypeVar("T")


def variants_in_chunks(
    model: Model, images: Tensor, n: int | Sequence[int], compute: Callable[[list[int], list[int]], T], kind: Kind
) -> Iterator[tuple[list[int], list[int], T]]:
    """Compute the variants of all images, chunk by chunk, in the order of the images and, of each image, of its variants.

    Args:
        model: The network that the variants pass through.
        images: The images `[b, c, …]`; a variant takes as much memory as an image.
        n: The number of variants of every image, or one number an image, which may be 0.
        compute: `compute(image, variant)` gives the result of a chunk: for each pass r, variant `variant[r]` of image `image[r]`.
        kind: What the passes need memory for, as in `in_chunks`.

    Yields:
        The image and the variant of each pass of a chunk, and the result.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.gradient import gradient
    >>> from heatproof.passes.variants import variants_in_chunks
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> def of_each_class(image, variant):
    ...     return gradient(model, images[image], torch.tensor(variant))[0]
    >>> sum(len(maps) for _, _, maps in variants_in_chunks(model, images, 10, of_each_class, "gradient"))
    20
    """
    counts = [n] * len(images) if isinstance(n, int) else list(n)
    ends = list(accumulate(counts))

    def chunk(passes: range) -> tuple[list[int], list[int], T]:
        image = [bisect_right(ends, p) for p in passes]
        variant = [p - ends[i] + counts[i] for p, i in zip(passes, image, strict=True)]
        return image, variant, compute(image, variant)

    for _, computed in in_chunks(model, images, sum(counts), chunk, kind):
        yield computed
        del computed  # so that it is not alive beside the next chunk
