import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import ModelError, TensorError
from heatproof.methods import Gradient
from heatproof.models import Bounds, Logit, Model
from heatproof.passes.inputs import check_images
from tests.support import zoo
from tests.support.state import state_of


def test_a_model_is_where_and_what_its_parameters_are() -> None:
    model = zoo.model(zoo.residual(), dtype=torch.float64)
    assert (model.device, model.dtype) == (torch.device("cpu"), torch.float64)
    assert zoo.model(nn.Identity()).dtype == torch.float32


def test_the_digest_follows_weights_and_structure() -> None:
    a, b = zoo.model(zoo.residual()), zoo.model(zoo.residual())
    assert a.digest == b.digest
    with torch.no_grad():
        b.module.norm.running_var[0] += 1
    assert zoo.model(b.module).digest != a.digest
    assert zoo.model(nn.Sequential(nn.ReLU())).digest != zoo.model(nn.Sequential(nn.ReLU6())).digest


def test_a_copy_with_changes_shares_the_module() -> None:
    model = zoo.model(zoo.residual())
    other = model.with_(chunk=3)
    assert (other.chunk, model.chunk) == (3, 16)
    assert other.module is model.module


def test_running_freezes_inside_and_restores_outside_also_when_nested() -> None:
    module = zoo.residual().train()
    module.norm.eval()
    model = zoo.model(module)
    before = state_of(module)
    with model.running(), model.running():
        assert not any(m.training for m in module.modules())
        assert not any(p.requires_grad for p in module.parameters())
    assert state_of(module) == before


def test_a_chunk_of_no_rows_is_refused() -> None:
    with pytest.raises(TensorError, match="expected at least 1 image, or None, got 0"):
        zoo.model(zoo.residual(), chunk=0)


class Returning(nn.Module):
    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> object:
        return self.answer


def test_one_number_per_sample_is_one_column() -> None:
    assert zoo.model(Returning(torch.zeros(2))).outputs(zoo.images(2)).shape == (2, 1)


@pytest.mark.parametrize(("answer", "shape"), [(torch.zeros(()), (1, 1)), (torch.zeros(1), (1, 1)), (torch.zeros(4), (1, 4))])
def test_a_forward_that_squeezes_its_outputs_may_drop_the_axis_of_a_lone_image(answer: Tensor, shape: tuple[int, ...]) -> None:
    assert zoo.model(Returning(answer)).outputs(zoo.images(1)).shape == shape


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_a_module_without_parameters_takes_images_of_every_floating_point_type(dtype: torch.dtype) -> None:
    model, images = zoo.model(nn.Flatten()), zoo.images(2).to(dtype)
    check_images(model, images)
    assert model.placed(images) is images
    found = Gradient().attribute(model, images, 3).values
    assert found.dtype == dtype
    assert torch.equal(found.flatten(1), torch.eye(192, dtype=dtype)[[3, 3]])


def test_integers_are_placed_in_the_type_of_the_module() -> None:
    model, images = zoo.model(nn.Flatten()), torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    assert model.placed(images).dtype == torch.float32
    assert zoo.model(zoo.residual(), dtype=torch.float64).placed(images).dtype == torch.float64


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (torch.zeros(2, 3, 4), r"expected one row of outputs for each image, \[2, k\], got \[2, 3, 4\]"),
        (torch.zeros(5, 3), r"\[2, k\], got \[5, 3\]"),
        (torch.zeros(()), r"got \[\]"),
        ({}, "returned no tensor"),
        ((None, "text"), "returned no tensor"),
        (None, "returned no tensor"),
    ],
    ids=["per pixel", "other batch", "scalar", "empty mapping", "tuple without tensors", "nothing"],
)
def test_outputs_that_are_no_matrix_are_refused(answer: object, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        zoo.model(Returning(answer)).outputs(zoo.images(2))


def test_an_output_that_is_not_one_number_per_sample_is_refused() -> None:
    model = zoo.model(zoo.residual(), output=lambda outputs, target: outputs)
    with pytest.raises(ModelError, match=r"expected one number for each image, \[2\], got \[2, 4\]"):
        model.explained(torch.zeros(2, 4), torch.zeros(2, dtype=torch.long))


def test_names() -> None:
    model = Model(nn.Identity(), Bounds.of(0, 1, 3), class_names=("cat", "dog"))
    assert [model.class_name(i) for i in (1, 2)] == ["dog", "class 2"]
    assert model.output_label == str(Logit())
    assert model.with_(output=sum).output_label == "sum"
