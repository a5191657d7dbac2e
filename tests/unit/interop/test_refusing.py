import pytest
import torch

from heatproof.core.errors import ModelError, TensorError, UsageError
from heatproof.interop.recipe import refusing


def test_what_a_peer_raises_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"^captum's X: expected .*got: no hooks; see") as refusal, refusing("captum's X"):
        raise RuntimeError("no hooks\nand more")
    assert isinstance(refusal.value.__cause__, RuntimeError)


@pytest.mark.parametrize(
    "error", [TensorError("a shape"), ModelError("a network"), torch.OutOfMemoryError("CUDA out of memory")], ids=repr
)
def test_errors_of_ours_and_memory_that_ran_out_are_no_refusal_of_the_peers(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, refusing("captum's X"):
        raise error
    assert raised.value is error
