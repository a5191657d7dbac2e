"""Random numbers that are a function of the image they are used for.

Every image of a batch owns a key, a hash of the seed and of the image's content. A draw is named by key, stream and index, so the
same image gets the same numbers in any batch, chunk, order or process, and every method and metric that uses the same stream gets
the same numbers: comparisons are paired. Numbers are drawn on the CPU in float32 and then moved, so that they do not depend on the
device, and the float64 numbers equal the float32 ones.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.core.seeds import Key, derive, seed_of

Index = int | Sequence[int]


def image_digest(image: Float[Tensor, "*shape"]) -> bytes:
    """The SHA-256 of an image's shape and of its values in float32."""
    values = image.detach().to("cpu", torch.float32).contiguous()
    return hashlib.sha256(f"{tuple(values.shape)}".encode() + values.numpy().tobytes()).digest()


def digests_of(images: Any) -> Any:
    """The digest of each image of a batch in hexadecimal, for settings that belong to images; anything else as it is."""
    return tuple(image_digest(image).hex() for image in images) if isinstance(images, Tensor) else images


_original_digests: ContextVar[Mapping[bytes, bytes] | None] = ContextVar("digests of originals by those of images", default=None)


@contextmanager
def drawn_as(images: Float[Tensor, "b *shape"], originals: Float[Tensor, "b *shape"]) -> Iterator[None]:
    """Inside the block, each image draws the numbers of its original, so that their maps do not differ by chance.

    >>> import torch
    >>> from heatproof.perturb.draws import Draws, drawn_as
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> with drawn_as(images.flip(3), images):
    ...     keys = Draws.for_images(0, images.flip(3)).keys
    >>> keys == Draws.for_images(0, images).keys
    True
    """
    pairs = {image_digest(image): image_digest(original) for image, original in zip(images, originals, strict=True)}
    token = _original_digests.set({**(_original_digests.get() or {}), **pairs})
    try:
        yield
    finally:
        _original_digests.reset(token)


@dataclass(frozen=True)
class Draws:
    """The random numbers of a batch: one key for each image, and the device and type of the numbers.

    keys     the keys.
    device   the device of the numbers.
    dtype    their type.
    digests  the digest of the content of the image that each key belongs to, also where the key is that of a noisy copy.

    >>> import torch
    >>> from heatproof.perturb.draws import Draws
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> draws = Draws.for_images(0, images)
    >>> noise = draws.normal("noise", 3, (1, 28, 28))
    >>> noise.shape
    torch.Size([2, 1, 28, 28])
    >>> torch.equal(Draws.for_images(0, images[1:]).normal("noise", 3, (1, 28, 28)), noise[1:])
    True
    """

    keys: tuple[Key, ...]
    device: torch.device
    dtype: torch.dtype
    digests: tuple[bytes, ...]

    @classmethod
    def for_images(cls, seed: int, images: Float[Tensor, "b *shape"]) -> Self:
        """The keys that follow from the seed and from the content of each image."""
        originals = _original_digests.get() or {}
        digests = tuple(originals.get(digest, digest) for digest in map(image_digest, images))
        return cls(tuple(derive(seed, digest) for digest in digests), images.device, images.dtype, digests)

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self, rows: Sequence[int]) -> "Draws":
        """The keys of the images at the given positions; a position may occur many times."""
        return replace(self, keys=tuple(self.keys[row] for row in rows), digests=tuple(self.digests[row] for row in rows))

    def on_cpu(self) -> "Draws":
        """The same numbers in float32 on the CPU, for what must not be rounded to the type of the images."""
        return replace(self, device=torch.device("cpu"), dtype=torch.float32)

    def child(self, stream: str, index: Index) -> "Draws":
        """Keys for the index-th nested use, such as the noise inside a wrapped method, independent of the keys themselves."""
        return replace(self, keys=self._keys(stream, index))

    def normal(self, stream: str, index: Index, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers `[b, *shape]`; `index` is one draw number for all images, or one for each."""
        return self._draw(stream, index, lambda out, g: out.normal_(generator=g), shape)

    def uniform(self, stream: str, index: Index, shape: Sequence[int]) -> Tensor:
        """Numbers `[b, *shape]` drawn uniformly from [0, 1); `index` as in `normal`."""
        return self._draw(stream, index, lambda out, g: out.uniform_(generator=g), shape)

    def _keys(self, stream: str, index: Index) -> tuple[Key, ...]:
        indices = [index] * len(self.keys) if isinstance(index, int) else index
        return tuple(derive(key, stream, int(i)) for key, i in zip(self.keys, indices, strict=True))

    def _draw(self, stream: str, index: Index, fill: Callable[[Tensor, torch.Generator], Tensor], shape: Sequence[int]) -> Tensor:
        out = torch.empty(len(self.keys), *shape, dtype=torch.float32, device="cpu")
        generator = torch.Generator("cpu")
        for row, key in zip(out, self._keys(stream, index), strict=True):
            fill(row, generator.manual_seed(seed_of(key)))
        return out.to(self.device, self.dtype)
