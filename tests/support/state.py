"""Everything a caller could find changed, as one comparable value."""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def _bytes(tensor: Tensor | None) -> bytes | None:
    return None if tensor is None else tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def state_of(module: nn.Module) -> dict[str, Any]:
    """Identity, values, gradients and flags of parameters and buffers; train flags; hooks; attributes."""
    parameters = {n: (id(p), p.requires_grad, id(p.grad), _bytes(p.grad), _bytes(p)) for n, p in module.named_parameters()}
    buffers = {n: (id(b), _bytes(b)) for n, b in module.named_buffers()}
    modes = {n: m.training for n, m in module.named_modules()}
    hooks = {n: [(k, len(v)) for k, v in vars(m).items() if k.endswith("_hooks")] for n, m in module.named_modules()}
    attributes = {n: sorted(vars(m)) for n, m in module.named_modules()}
    return {"parameters": parameters, "buffers": buffers, "modes": modes, "hooks": hooks, "attributes": attributes}


def state_of_tensor(tensor: Tensor) -> tuple[Any, ...]:
    """Values, the counter of in-place writes, and everything autograd knows."""
    return _bytes(tensor), tensor._version, tensor.requires_grad, tensor.grad, tensor.grad_fn, tensor.data_ptr()


def state_of_chance() -> tuple[Any, ...]:
    """The global generators of torch, numpy and Python."""
    name, numbers, *rest = np.random.get_state()
    return _bytes(torch.get_rng_state()), name, numbers.tobytes(), rest, random.getstate()


def disturb_chance(seed: int) -> None:
    """Set all three global generators."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
