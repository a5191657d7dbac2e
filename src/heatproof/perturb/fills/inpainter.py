"""Absent values, painted by a function of the user's own, such as a generative network.

The module is imported and its code is run when the fill is first used, as by Python's `import`, and not when settings are read.
Results are computed anew if the path changes, not if the function does: another function needs another name.
"""

import importlib
import os
import re
import sys
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import BeforeValidator, field_validator
from torch import Tensor

from heatproof.core.errors import SettingsError, TensorError
from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Imputation

_NAME = r"[^\W\d]\w*(\.[^\W\d]\w*)*"


def _path_of(function: Any) -> Any:
    """The import path of a function, by which another process finds it; anything else as it is."""
    if not callable(function):
        return function
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    found: Any = sys.modules.get(module or "")
    for part in (name or "").split("."):
        found = getattr(found, part, None)
    if found is not function or module == "__main__":
        raise ValueError(
            f"expected a function that another process can import, got {function}; define it at the top of a file of yours, "
            "import it from there, and give the function or module:function"
        )
    return f"{module}:{name}"


class Inpainter(Imputation):
    """Absent values, painted by a function of your own: `function(images, present)` returns images.

    The function gets images `[r, c, …]` in model space, whose absent values are zero so that it cannot see them, and `present`
    `[r, 1, …]`, True where a place is known. What it returns for known values does not matter. It must treat each image by itself
    and give the same result for the same arguments: if it draws random numbers, then from a generator that it seeds itself.

    function  its import path, as `module:function`, or the function itself, if it can be imported.

    Raises:
        SettingsError: It is no import path, a function that cannot be imported, or, on a call, there is no such function.
        TensorError: On a call, if it does not return finite values in the shape of the images.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import Inpainter
    >>> images, present = torch.full((1, 1, 1, 2), 0.5), torch.tensor([[[[True, False]]]])
    >>> fill = Inpainter(function="torch:maximum")  # paints 1 where a place is known, and keeps the zero elsewhere
    >>> fill.impute(images, present, Bounds.of(0, 1, 1), Draws.for_images(0, images), 0)
    tensor([[[[1., 0.]]]])
    """

    shorthand: ClassVar[str] = "function"

    function: Annotated[str, BeforeValidator(_path_of)]

    @field_validator("function")
    @classmethod
    def _is_a_path(cls, path: str) -> str:
        if not re.fullmatch(f"{_NAME}:{_NAME}", path):
            raise ValueError(f"expected the import path of a function, module:function, got {path}")
        return path

    def impute(
        self, images: Float[Tensor, "b c *space"], present: Bool[Tensor, "b g *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        with torch.no_grad():
            painted = self._imported()(images * present, present.all(1, keepdim=True))
        if not isinstance(painted, Tensor) or painted.shape != images.shape:
            got = list(painted.shape) if isinstance(painted, Tensor) else type(painted).__name__
            raise TensorError(f"{self.function}: expected images {list(images.shape)}, got {got}; return one for each image")
        if not bool(painted.isfinite().all()):
            raise TensorError(f"{self.function}: expected finite values, got NaN or infinity; mend the function")
        return painted.to(images)

    def _imported(self) -> Any:
        module, _, name = self.function.partition(":")
        directory = os.getcwd()
        added = directory not in sys.path and "" not in sys.path
        if added:
            sys.path.insert(0, directory)
        try:
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise SettingsError(f"inpainter: function: expected one that can be imported, got {self.function}: {error}") from error
        finally:
            if added and directory in sys.path:
                sys.path.remove(directory)
        return found
