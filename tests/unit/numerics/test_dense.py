"""What is no ordinary tensor is refused with a remedy that works."""

from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from PIL import Image

from heatproof.attacks import RandomSign
from heatproof.core.errors import SettingsError, TensorError, UsageError
from heatproof.data import Photos
from heatproof.methods import Gradient, Lrp
from heatproof.metrics import EnergyInMask, PixelFlipping, SimilarityTo, Sparseness, score
from heatproof.models import Bounds, Model
from heatproof.models.loaders import load_model
from heatproof.numerics.dense import check_dense
from heatproof.passes.acceleration import accelerate
from heatproof.perturb.changes import ChangeContext

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


PIXELS = np.zeros((2, 8, 8, 3), dtype=np.uint8)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("cat.jpg", r"got str; use load_images\(images, model.preprocessing\)"),
        (Path("cats"), r"use load_images\(images, model.preprocessing\)"),
        (Image.fromarray(PIXELS[0]), r"got PIL.Image.Image; use load_images\(images, model.preprocessing\)"),
        ([Image.fromarray(PIXELS[0])], r"got list; use load_images\(images, model.preprocessing\)"),
        (Photos(), r"use load_images\(images, model.preprocessing\)"),
        (PIXELS, r"use load_images\(.*\), or torch.as_tensor\(images\) / 255 for a network of pixels"),
        (PIXELS / 255, r"use torch.as_tensor\(images\).movedim\(-1, 1\)"),
        (torch.as_tensor(PIXELS), r"expected \[batch, 1, …\]"),
        (torch.zeros(2, 4, 4, 1), r"move the channels first with images.permute\(0, 3, 1, 2\)"),
        (torch.zeros(1, 4, 4), r"add a batch axis with images\[None\]"),
        (
            VALUES.to(torch.uint8),
            r"expected floating-point numbers in the units of model, 0 to 1, got torch.uint8; use images.float\(\) / 255",
        ),
    ],
)
def test_images_of_every_kind_are_refused_with_their_conversion(given: object, remedy: str) -> None:
    with pytest.raises(TensorError, match=remedy):
        Gradient().attribute(MODEL, given, target=0)


@pytest.mark.usefixtures("unchecked")
def test_a_bare_module_is_refused_wherever_a_model_is_taken() -> None:
    module = MODEL.module
    situation = ChangeContext(VALUES, MODEL.bounds, torch.tensor([0, 1]), module, lambda images: images, seed=0)
    calls = [
        lambda: Gradient().attribute(module, VALUES),
        lambda: PixelFlipping(steps=2).score(module, VALUES, 0, VALUES),
        lambda: score("sparseness", module, VALUES, "gradient"),
        lambda: Lrp().leaks(module, VALUES, torch.tensor([0, 1])),
        lambda: RandomSign()(situation, [0.1]),
        lambda: accelerate(module, VALUES),
    ]
    for call in calls:
        with pytest.raises(
            UsageError, match=r"got torch.nn.modules.container.Sequential; write Model\(module, Bounds.of\(0, 1, channels=1\)\)"
        ):
            call()


@pytest.mark.usefixtures("unchecked")
def test_arguments_of_another_base_are_refused_by_every_metric_of_maps() -> None:
    for call in (
        lambda: Sparseness().score(MODEL, VALUES, None, VALUES),
        lambda: EnergyInMask().score(MODEL, VALUES, None, VALUES),
        lambda: SimilarityTo().score(MODEL, VALUES, None, VALUES),
    ):
        with pytest.raises(UsageError, match=r"call heatproof.score\(metric, model, images, maps\), which takes any metric"):
            call()


@pytest.mark.usefixtures("unchecked")
def test_a_model_says_what_it_is_made_of() -> None:
    assert repr(MODEL) == "Model(model: Sequential with 51 parameters, 1 input channel, explains logit)"
    with pytest.raises(UsageError, match=r"bounds: expected Bounds, got tuple; use Bounds.of\(0, 1, channels=3\)"):
        Model(MODEL.module, (0, 1))
    with pytest.raises(UsageError, match=r"module: expected a torch\.nn\.Module, got str; use load_model"):
        Model("resnet18", MODEL.bounds)
    with pytest.raises(SettingsError, match=r"got Sequential; write Model\(module, bounds\)"):
        load_model(MODEL.module)


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
