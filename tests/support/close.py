"""One notion of closeness: the largest difference, relative to the largest value."""

import torch
from torch import Tensor


def gap(found: Tensor, expected: Tensor) -> float:
    """max |found − expected| / max |expected|. NaN equals NaN; infinite for different shapes or NaN in different places."""
    if found.shape != expected.shape or not torch.equal(found.isnan(), expected.isnan()):
        return torch.inf
    found, expected = found.double().nan_to_num(), expected.double().nan_to_num()
    size = expected.abs().max().item() if expected.numel() else 0.0
    difference = (found - expected).abs().max().item() if expected.numel() else 0.0
    return difference / size if size else difference


def assert_close(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Fail with the gap."""
    assert gap(found, expected) <= tolerance, f"relative gap {gap(found, expected):.3g}, allowed {tolerance:.3g}"


def assert_different(a: Tensor, b: Tensor) -> None:
    """Fail unless two tensors of one shape differ by more than rounding."""
    assert gap(a, b) > 1e-4, f"expected a difference, got {gap(a, b):.3g}"
