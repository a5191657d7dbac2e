"""Transformer layers of torch that compute one function, whether or not gradients are wanted.

`nn.MultiheadAttention` and `nn.TransformerEncoder` have a second path for passes without gradients. It rounds otherwise, it makes
nested tensors, which have few operations, and it writes zeros where tokens are padded. So a score and its gradient would be of two
functions. While a network runs, its layers take the path that gradients can pass.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch.backends import mha


@contextmanager
def differentiable_attention() -> Iterator[None]:
    """A block in which attention of torch's own layers is computed as if gradients were wanted.

    >>> import torch
    >>> from heatproof.numerics.attention_path import differentiable_attention
    >>> with differentiable_attention():
    ...     torch.backends.mha.get_fastpath_enabled()
    False
    """
    enabled = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        mha.set_fastpath_enabled(enabled)
