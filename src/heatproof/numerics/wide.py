"""The type in which numbers are added up: float32 for the 16-bit types, integers and truth values, and any other type itself.

bfloat16 has 8 significant bits, so that a running sum loses every term that it is 512 times as large as. Sums, means, weights and
positions of many terms are therefore computed in the wide type, and rounded to the type of the network once, at the end.
"""

import torch
from torch import Tensor


def wide_type(dtype: torch.dtype) -> torch.dtype:
    """The type in which numbers of type `dtype` are added up.

    >>> import torch
    >>> from heatproof.numerics.wide import wide_type
    >>> wide_type(torch.bfloat16), wide_type(torch.float64)
    (torch.float32, torch.float64)
    """
    return torch.promote_types(dtype, torch.float32)


def wide(values: Tensor) -> Tensor:
    """The values in the type in which they are added up; the same tensor where it has that type already.

    >>> import torch
    >>> from heatproof.numerics.wide import wide
    >>> wide(torch.ones(2, dtype=torch.float16)).dtype
    torch.float32
    """
    return values.to(wide_type(values.dtype))
