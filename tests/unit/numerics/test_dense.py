"""What is no ordinary tensor is refused with a remedy that works."""

from collections.abc import Iterator

import jaxtyping
import numpy as np
import pytest
import torch

from heatproof.core.errors import TensorError
from heatproof.methods import Gradient
from heatproof.metrics import EnergyInMask, PixelFlipping, SimilarityTo, Sparseness
from heatproof.models import Bounds, Model
from heatproof.numerics.dense import check_dense

VALUES = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
MODEL = Model(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3)), Bounds.of(0, 1, channels=1))

STRANGE = {
    "list": ([VALUES[0], VALUES[1]], r"got list; use torch.stack\(NAME\)"),
    "tuple": ((VALUES[0], VALUES[1]), r"got tuple; use torch.stack\(NAME\)"),
    "numbers": ([[0.0, 1.0]], r"got list; use torch.as_tensor\(NAME\)"),
    "array": (VALUES.numpy(), r"got numpy.ndarray; use torch.as_tensor\(NAME\)"),
    "dict": ({"pixel_values": VALUES}, r"got dict; use the tensor in it, as NAME\['pixel_values'\]"),
    "none": (None, "got None; use a tensor"),
    "sparse": (VALUES.to_sparse(), r"got a torch.sparse_coo one; use its .to_dense\(\)"),
    "meta": (VALUES.to("meta"), "got one on the device meta"),
}


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Without the checks of signatures that the suite adds, so that calls are checked as those of a user are."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("kind", STRANGE)
def test_images_maps_and_regions_of_other_kinds_are_refused(kind: str) -> None:
    given, message = STRANGE[kind]
    calls = {
        "images": lambda: Gradient().attribute(MODEL, given, target=0),
        "maps": lambda: Sparseness().score(given),
        "maps of a reference": lambda: SimilarityTo().score(VALUES, given),
        "maps beside images": lambda: PixelFlipping(steps=2).score(MODEL, VALUES, 0, given),
        "regions": lambda: EnergyInMask().score(VALUES, given),
    }
    for what, call in calls.items():
        with pytest.raises(TensorError, match=message.replace("NAME", what.partition(" ")[0])):
            call()


@pytest.mark.usefixtures("unchecked")
def test_an_attribution_is_not_a_map() -> None:
    with pytest.raises(TensorError, match=r"got heatproof.methods.attribution.Attribution; use its .values"):
        Sparseness().score(Gradient().attribute(MODEL, VALUES, target=0))


def test_the_remedies_pass() -> None:
    for tensor in (torch.stack([VALUES[0], VALUES[1]]), torch.as_tensor(np.zeros(3)), VALUES.to_sparse().to_dense()):
        check_dense(tensor, "images")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "target", [np.int64(1), torch.tensor(1), np.array([1, 1]), torch.tensor([1, 1], dtype=torch.uint8)], ids=repr
)
def test_integers_of_every_library_are_targets(target: object) -> None:
    assert Gradient().attribute(MODEL, VALUES, target=target).target.tolist() == [1, 1]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("target", [1.0, True, "1", {}, torch.tensor([0.0, 1.0])], ids=repr)
def test_targets_that_are_no_integers_are_refused(target: object) -> None:
    with pytest.raises(TensorError, match="target: expected None, an integer or 2 integers, one per image"):
        Gradient().attribute(MODEL, VALUES, target=target)
