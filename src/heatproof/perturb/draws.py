"""Random numbers that belong to an image, not to a moment.

Row i of a batch owns a key hashed from (seed, digest of image i). A draw is named by key, stream and index, so it is the same
in any batch, chunk, order or process, and the same for every method and metric that asks for the same stream: comparisons
are paired. Drawn on the CPU in float32, then moved: the same on every device, and equal in float64.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.core.seeds import Key, derive, seed_of

Index = int | Sequence[int]


def image_digest(image: Float[Tensor, "*shape"]) -> bytes:
    """SHA-256 of the shape and the float32 values."""
    values = image.detach().to("cpu", torch.float32).contiguous()
    return hashlib.sha256(f"{tuple(values.shape)}".encode() + values.numpy().tobytes()).digest()


_known_as: ContextVar[Mapping[bytes, bytes] | None] = ContextVar("images that draw as others do", default=None)


@contextmanager
def drawn_as(images: Float[Tensor, "b *shape"], originals: Float[Tensor, "b *shape"]) -> Iterator[None]:
    """Inside the block, each of these images draws what its original draws, so that chance tells their maps not apart."""
    pairs = {image_digest(image): image_digest(original) for image, original in zip(images, originals, strict=True)}
    token = _known_as.set({**(_known_as.get() or {}), **pairs})
    try:
        yield
    finally:
        _known_as.reset(token)


@dataclass(frozen=True)
class Draws:
    """One key per row, and where the numbers go."""

    keys: tuple[Key, ...]
    device: torch.device
    dtype: torch.dtype

    @classmethod
    def for_images(cls, seed: int, images: Float[Tensor, "b *shape"]) -> Self:
        """Keys from the seed and each image's content."""
        names, digests = _known_as.get() or {}, [image_digest(image) for image in images]
        return cls(tuple(derive(seed, names.get(digest, digest)) for digest in digests), images.device, images.dtype)

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self, rows: Sequence[int]) -> "Draws":
        """The keys of the given rows; a row may be named many times."""
        return Draws(tuple(self.keys[row] for row in rows), self.device, self.dtype)

    def child(self, stream: str, index: Index) -> "Draws":
        """Keys of their own for the index-th nested use, such as the noise inside a wrapped method."""
        return Draws(self._keys(stream, index), self.device, self.dtype)

    def normal(self, stream: str, index: Index, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers `[rows, *shape]`; `index` is one draw number for all rows, or one per row."""
        return self._draw(stream, index, lambda out, g: out.normal_(generator=g), shape)

    def uniform(self, stream: str, index: Index, shape: Sequence[int]) -> Tensor:
        """U[0, 1) numbers `[rows, *shape]`."""
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
