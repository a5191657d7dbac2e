import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from heatproof.core.errors import SettingsError
from heatproof.models.loaders import File, Loader, Toy, load_model, resolve

ARCHITECTURES = ("cnn", "mlp", "three_blocks")


def shapes(**fields):
    """Of the weight matrices and kernels, by layer; each has a bias of its first size."""
    state = Toy(**fields).load().module.state_dict()
    weights = {key.removesuffix(".weight"): value.shape for key, value in state.items() if key.endswith(".weight")}
    assert {key: list(value.shape) for key, value in state.items() if key.endswith(".bias")} == {
        f"{layer}.bias": [shape[0]] for layer, shape in weights.items()
    }
    return {layer: tuple(shape) for layer, shape in weights.items()}


def test_the_convolutional_network_has_the_sizes_of_the_paper():
    assert shapes() == {"conv1": (32, 1, 5, 5), "conv2": (64, 32, 5, 5), "fc1": (1024, 64 * 7 * 7), "logits": (10, 1024)}


def test_the_dense_network_has_the_sizes_of_the_paper():
    assert shapes(architecture="mlp") == {
        "fc1": (2500, 784),
        "fc2": (1500, 2500),
        "fc3": (500, 1500),
        "logits": (10, 500),
    }


def test_three_blocks_pool_twice_before_1024_values_are_left():
    assert shapes(architecture="three_blocks") == {
        "conv1": (16, 3, 3, 3),
        "conv2": (16, 16, 3, 3),
        "conv3": (16, 16, 3, 3),
        "fc1": (512, 1024),
        "logits": (10, 512),
    }


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("side", "channels"), [(None, None), (32, 3), (29, 1)])
def test_a_grey_picture_of_any_size_comes_out_as_one_row_of_classes(architecture, side, channels):
    model = Toy(architecture=architecture, side=side, channels=channels, classes=7, width=0.02).load()
    images = torch.stack([model.preprocessing(Image.new("L", (28, 28), colour)) for colour in (0, 255)])
    assert model.outputs(images).shape == (2, 7)
    assert images.flatten(1)[0].unique() == model.bounds.lower[0]
    assert images.flatten(1)[1].unique() == model.bounds.upper[0]


@pytest.mark.parametrize(("architecture", "bounds"), [("cnn", (0, 1)), ("mlp", (0, 1)), ("three_blocks", (-1, 1))])
def test_pixels_lie_in_the_range_of_the_paper(architecture, bounds):
    found = Toy(architecture=architecture, width=0.02).load().bounds
    assert (found.lower.min().item(), found.upper.max().item()) == bounds


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_width_scales_what_is_hidden_and_nothing_else(architecture):
    narrow, wide = shapes(architecture=architecture, width=0.5), shapes(architecture=architecture)
    hidden = [layer for layer in wide if layer != "logits"]
    assert all(2 * narrow[layer][0] == wide[layer][0] for layer in hidden)
    assert narrow["logits"][0] == wide["logits"][0]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_relu_is_a_module_of_its_own_and_not_in_place(architecture):
    relus = [part for part in Toy(architecture=architecture, width=0.02).load().module if isinstance(part, nn.ReLU)]
    assert len(relus) == len(set(relus)) == len(shapes(architecture=architecture)) - 1
    assert not any(relu.inplace for relu in relus)


def test_weights_depend_on_the_seed_and_on_no_generator_but_their_own():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = Toy(width=0.1, seed=1).load()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    assert Toy(width=0.1, seed=1).load().digest == first.digest
    assert Toy(width=0.1, seed=2).load().digest != first.digest


def test_weights_from_a_file_take_the_place_of_random_ones(tmp_path):
    path = tmp_path / "weights.safetensors"
    kept = Toy(width=0.1, seed=5).load()
    save_file(kept.module.state_dict(), path)
    assert File(path=path, architecture={"name": "toy", "width": 0.1}).load().digest == kept.digest


@pytest.mark.parametrize("reference", ["toy", "toy:cnn", {"name": "toy"}])
def test_what_has_a_default_need_not_be_said(reference):
    assert resolve(reference) == Toy()
    assert Loader.from_dict(Toy().to_dict()) == Toy()


def test_the_name_says_that_the_weights_are_random():
    assert load_model({"name": "toy", "architecture": "mlp", "width": 0.01}).name == "toy:mlp (random weights)"


@pytest.mark.parametrize(
    "fields",
    [{"architecture": "rnn"}, {"side": 3}, {"channels": 2}, {"classes": 0}, {"width": 0}, {"seed": -1}],
    ids=str,
)
def test_impossible_settings_are_refused(fields):
    with pytest.raises(SettingsError, match=next(iter(fields))):
        Toy(**fields)
