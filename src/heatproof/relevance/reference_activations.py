"""The inputs of a network's operations at a reference, looked up when the same operations run on the image.

The operations of the two forward passes are matched one by one in the order of execution, so that no axis of any tensor need be
known to hold the batch.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from heatproof.core.errors import ModelError


@dataclass
class ReferenceActivations:
    """A queue of the inputs of operations: filled at the reference, and after `read` emptied in the same order on the image."""

    _inputs: deque[tuple[str, list[Tensor]]] = field(default_factory=deque)
    _reading: bool = False

    def read(self) -> None:
        """End the pass at the reference; the operations that follow are those of the image."""
        self._reading = True

    def visit(self, operation: str, inputs: Sequence[Tensor]) -> list[Tensor] | None:
        """Store or look up the inputs of one operation.

        Args:
            operation: Its name.
            inputs: Its inputs in the pass that is running.

        Returns:
            On the image, the inputs of the same operation at the reference; at the reference, None.

        Raises:
            ModelError: Another operation, or one of other shapes, ran at the reference.
        """
        if not self._reading:
            self._inputs.append((operation, [x.detach() for x in inputs]))
            return None
        earlier, at_reference = self._inputs.popleft() if self._inputs else ("none", [])
        if earlier != operation or [x.shape for x in at_reference] != [x.shape for x in inputs]:
            self._refuse(_described(operation, inputs), _described(earlier, at_reference))
        return at_reference

    def finish(self) -> None:
        """End the pass on the image.

        Raises:
            ModelError: More operations ran at the reference than on the image.
        """
        if self._inputs:
            self._refuse("none", _described(*self._inputs[0]))

    def _refuse(self, got: str, expected: str) -> None:
        raise ModelError(
            f"expected the same operations for an image as for its baseline, got {got} where {expected} ran; a network that "
            "chooses its operations by its input cannot be compared with itself, or only with a baseline for which it chooses alike"
        )


def _described(operation: str, inputs: Sequence[Tensor]) -> str:
    return f"{operation} of {', '.join(str(list(x.shape)) for x in inputs)}" if inputs else operation
