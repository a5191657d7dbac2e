"""What the operations of a network met at a reference, to be looked up when they run again on the input.

The two runs meet operation by operation, in the order of execution, so that no axis of any tensor need be known to hold the batch.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from heatproof.core.errors import ModelError


@dataclass
class ReferenceActivations:
    """Notes what each operation meets until `read` is called, then gives it back in the same order."""

    _met: deque[tuple[str, list[Tensor]]] = field(default_factory=deque)
    _reading: bool = False

    def read(self) -> None:
        """What comes now is the input."""
        self._reading = True

    def meet(self, operation: str, inputs: Sequence[Tensor]) -> list[Tensor] | None:
        """What the operation met at the reference; None while that is noted.

        Raises:
            ModelError: Another operation ran there.
        """
        if not self._reading:
            self._met.append((operation, [x.detach() for x in inputs]))
            return None
        before, met = self._met.popleft() if self._met else ("none", [])
        if before != operation or [x.shape for x in met] != [x.shape for x in inputs]:
            self._refuse(_described(operation, inputs), _described(before, met))
        return met

    def finish(self) -> None:
        """Raise `ModelError` if the reference met more operations than the input did."""
        if self._met:
            self._refuse("none", _described(*self._met[0]))

    def _refuse(self, found: str, expected: str) -> None:
        raise ModelError(
            f"expected the same operations for an image as for its baseline, got {found} where {expected} ran; a network that "
            "chooses its operations by its input cannot be compared with itself, or only with a baseline for which it chooses alike"
        )


def _described(operation: str, inputs: Sequence[Tensor]) -> str:
    return f"{operation} of {', '.join(str(list(x.shape)) for x in inputs)}" if inputs else operation
