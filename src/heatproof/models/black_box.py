"""A function of arrays in place of a network: outputs and nothing else, as of a remote service or a pipeline of another library.

What the function returns is checked at every call, and what is wrong with it is said in one line that names the rows. If a call
fails, its rows are tried one at a time until one fails alone, since a function says that it failed and rarely for which row.
"""

import weakref
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from heatproof.core.errors import HeatproofError, ModelError, SettingsError, UsageError

Arrays = Literal["numpy", "tensor"]
"""What a function is given."""
OUTPUTS_ONLY = (
    "use a method that needs outputs only, such as occlusion, feature_ablation, rise, lime, kernel_shap, shapley_sampling or "
    "partition_shap"
)
"""The remedy where a black box lacks what a method needs."""
_LONGEST = 300
"""The number of characters of a function's own error that a message shows."""
_LISTED = 8
"""How many rows a message lists."""

_widths: "weakref.WeakKeyDictionary[BlackBox, int]" = weakref.WeakKeyDictionary()
"""The number of outputs of functions that were called before; no attribute, since attributes are part of a network's content."""


class BlackBox(nn.Module):
    """A function as a module without weights, gradients or layers. `Model.of_function` makes one.

    Args:
        function: `inputs [b, …] → outputs [b, k]` or `[b]`, in floating-point numbers.
        version: What the function computes, in any words that change when it does.
        arrays: Whether the function is given arrays of NumPy or tensors; it may return either.

    Raises:
        UsageError: The function is not callable, or has no version.
        SettingsError: `arrays` is no such choice.
    """

    def __init__(self, function: Callable[[Any], Any], version: str, arrays: Arrays = "numpy") -> None:
        super().__init__()
        if not callable(function):
            raise UsageError(
                f"function: expected a callable from inputs [b, …] to outputs [b, k], got {type(function).__name__}; "
                "give the method itself, as in pipeline.predict_proba"
            )
        if not version or not isinstance(version, str):
            raise UsageError(
                f"version: expected words for what the function computes, got {version!r}; a function has no weights by which a "
                'run could tell that it has changed: write version="forest, 3 May", and other words once it computes something else'
            )
        if arrays not in ("numpy", "tensor"):
            raise SettingsError(f"arrays: expected numpy or tensor, got {arrays!r}")
        self.function, self.version, self.arrays = function, version, arrays

    @property
    def label(self) -> str:
        """The name of the function, or of the class of an object that can be called."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    def extra_repr(self) -> str:
        """What the content hash of the model says of the function."""
        return f"{self.label}, version={self.version!r}, arrays={self.arrays!r}"

    def forward(self, images: Tensor) -> Tensor:
        """The outputs, in the type and on the device of the images.

        Raises:
            ModelError: The function fails, or returns no floating-point array with one row for each input, or NaN.
        """
        try:
            found = self._called(images)
        except HeatproofError:
            raise
        except Exception as error:
            if _is_about_memory(error):
                raise
            raise self._failure(images, error) from error
        return self._checked(found, len(images)).to(images)

    def _called(self, images: Tensor) -> Any:
        """What the function returns for a copy of the inputs, which it may keep or overwrite."""
        inputs = images.detach().clone()
        with torch.no_grad():
            if self.arrays == "tensor":
                return self.function(inputs)
            wide = inputs.float() if inputs.dtype in (torch.float16, torch.bfloat16) else inputs
            return self.function(wide.cpu().numpy())

    def _failure(self, images: Tensor, error: Exception) -> ModelError:
        """The error for a call that raised one: that of the first row that fails alone, if any does."""
        n, shape = len(images), list(images.shape[1:])
        for row in range(n):
            try:
                self._called(images[row : row + 1])
            except Exception as alone:
                return ModelError(
                    f"{self.label}: expected outputs for row {row} of a call with {n} inputs {shape}, got {_in_words(alone)}; mend "
                    "the function, or leave out what it cannot take"
                )
        return ModelError(
            f"{self.label}: expected outputs for a call with {n} inputs {shape}, got {_in_words(error)}, and no row fails alone; "
            "let rows pass one at a time with chunk=1"
        )

    def _checked(self, found: Any, n: int) -> Tensor:
        expected = f"{self.label}: expected an array of floating-point numbers [{n}, k], one row for each input"
        outputs = _tensor(found)
        if outputs is None:
            raise ModelError(f"{expected}, got {type(found).__name__}; return the array itself")
        if not outputs.is_floating_point():
            raise ModelError(
                f"{expected}, got {outputs.dtype}; return scores or probabilities, such as predict_proba, and no classes"
            )
        if outputs.ndim == 0 or len(outputs) != n:
            raise ModelError(f"{expected}, got {list(outputs.shape)}; return one row for each input, in their order")
        width = 1 if outputs.ndim == 1 else outputs.shape[1]
        if _widths.setdefault(self, width) != width:
            raise ModelError(
                f"{expected}, with k = {_widths[self]} as before, got {list(outputs.shape)}; return all outputs always"
            )
        bad = outputs.isnan().flatten(1).any(1) if outputs.ndim > 1 else outputs.isnan()
        if bool(bad.any()):
            rows = bad.nonzero().flatten().tolist()
            listed = ", ".join(map(str, rows[:_LISTED])) + f" and {len(rows) - _LISTED} more" * (len(rows) > _LISTED)
            raise ModelError(f"{expected}, got NaN in row {listed}; mend the function, or leave out what it cannot take")
        return outputs


def _tensor(found: Any) -> Tensor | None:
    """What a function returned as a tensor in memory of its own; None if it is no array."""
    if isinstance(found, Tensor):
        return found.detach().clone()
    if not hasattr(found, "__array__"):
        return None
    array = np.array(found)
    if array.dtype.kind not in "fiub":
        return None
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))


def _in_words(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:_LONGEST] + ' …' * (len(text) > _LONGEST)}"


def _is_about_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
