"""Each metric of known truth against its slow twin, and the controls of its source."""

import pytest
import torch
from torch import Tensor

import heatproof as hp
from heatproof.core.errors import ModelError, TensorError, UsageError
from heatproof.methods import Attribution, EdgeMap, Gradient, InputMap, InputXGradient, Occlusion, RandomMap
from heatproof.metrics import GridPointing, InputDependence, InputIndependence, ModelContrast
from heatproof.metrics.explain import bound
from heatproof.metrics.truth.input_independence import insignificant_patch
from heatproof.models import Model
from heatproof.models.loaders import Toy
from tests.references import truth
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.checking import shapes_checked
from tests.support.close import assert_close

OBJECTS, SCENES = (Toy(architecture="three_blocks", side=16, width=0.3, classes=4, seed=seed) for seed in (3, 4))


def network(loader: Toy) -> Model:
    model = loader.load()
    return model.with_(module=model.module.double())


MODEL, OTHER = network(OBJECTS), network(SCENES)
IMAGES = zoo.images(3, side=16, dtype=torch.float64).clamp(-1, 1)
REGIONS = torch.zeros(3, 16, 16, dtype=torch.float64)
REGIONS[0, :5, 3:9] = REGIONS[1, 8:, 8:] = REGIONS[2, 4:9, 5:14] = 1
WITHOUT = torch.where(REGIONS[:, None] == 1, IMAGES.flip(2), IMAGES)


def gradients(model: Model, images: Tensor, target: Tensor | int) -> Tensor:
    return Gradient().attribute(model, images, target).values


@twin_of("model_contrast")
def test_model_contrast() -> None:
    found = hp.score(ModelContrast(other=SCENES), MODEL, IMAGES, Gradient(), regions=REGIONS, target=1)
    other = gradients(OTHER, IMAGES, OTHER.outputs(IMAGES).argmax(1))
    expected = [
        truth.object_share(a, region) - truth.object_share(b, region)
        for a, b, region in zip(gradients(MODEL, IMAGES, 1), other, REGIONS, strict=True)
    ]
    assert found.values.tolist() == pytest.approx(expected, abs=1e-9)


@twin_of("input_dependence")
@pytest.mark.parametrize("own", [True, False])
def test_input_dependence(own: bool) -> None:
    metric = InputDependence() if own else InputDependence(network=SCENES)
    found = hp.score(metric, MODEL, IMAGES, Gradient(), regions=REGIONS, scenes=WITHOUT, target=1)
    used, target = (MODEL, 1) if own else (OTHER, OTHER.outputs(WITHOUT).argmax(1))
    maps = zip(gradients(used, IMAGES, target), gradients(used, WITHOUT, target), REGIONS, strict=True)
    shares = [(truth.object_share(a, region), truth.object_share(b, region)) for a, b, region in maps]
    assert found.components["with"].tolist() == pytest.approx([a for a, _ in shares], abs=1e-9)
    assert found.values.tolist() == [float(b > a) for a, b in shares]


@twin_of("input_independence")
def test_input_independence() -> None:
    metric = InputIndependence(network=SCENES, steps=4, length=3000)
    found = hp.score(metric, MODEL, IMAGES, Gradient(), regions=REGIONS, scenes=WITHOUT, target=1)
    rows = list(zip(IMAGES, WITHOUT, REGIONS, strict=True))
    patched = torch.stack([truth.patch(OTHER, *row, steps=4, length=3000) for row in rows])
    target = OTHER.outputs(WITHOUT).argmax(1)
    maps = zip(gradients(OTHER, WITHOUT, target), gradients(OTHER, patched, target), REGIONS, strict=True)
    shares = [(truth.object_share(a, region), truth.object_share(b, region)) for a, b, region in maps]
    assert found.components["patch"].tolist() == pytest.approx([b for _, b in shares], abs=1e-9)
    assert found.values.tolist() == [float(abs(a - b) <= 0.1 * a) for a, b in shares]
    assert 0 < found.values.mean() < 1  # both outcomes are seen


CELLS = torch.zeros(3, 16, 16, dtype=torch.float64)
CELLS[0, :8, 8:] = CELLS[1, 8:, 8:] = CELLS[2, 8:, 8:] = 1


@twin_of("grid_pointing")
@pytest.mark.parametrize("sees", ["all", "features", "cell"])
def test_grid_pointing(sees: str) -> None:
    found = hp.score({"name": "grid_pointing", "sees": sees}, MODEL, IMAGES, Gradient(), regions=CELLS, target=1)
    maps = [truth.gradient_seeing(MODEL, image, cell, 1, sees) for image, cell in zip(IMAGES, CELLS, strict=True)]
    expected = [truth.grid_pointing(*pair) for pair in zip(maps, CELLS, strict=True)]
    assert found.values.tolist() == pytest.approx(expected, abs=1e-9)
    assert found.components["chance"].tolist() == [0.25, 0.25, 0.25]
    assert (found.values == 1).all() == (sees == "cell")


def test_what_the_network_cannot_see_is_shown_by_controls_and_activation_maps_but_not_by_gradients() -> None:
    def share(method: object, sees: str) -> list[float]:
        return hp.score({"name": "grid_pointing", "sees": sees}, MODEL, IMAGES, method, regions=CELLS, target=1).values.tolist()

    assert share("input_x_gradient", "cell") == [1, 1, 1]
    assert share(Occlusion(window=2, stride=2), "cell") == pytest.approx([1, 1, 1], abs=1e-9)
    assert all(value < 0.6 for value in share("edge_map", "cell"))
    assert all(value < 0.6 for value in share("layer_cam", "cell"))
    assert share("constant_map", "features") == pytest.approx([0.25, 0.25, 0.25])


def test_a_map_of_the_hidden_layer_itself_and_networks_without_such_a_layer_are_refused_by_name() -> None:
    found = hp.score(GridPointing(sees="features"), MODEL, IMAGES, "grad_cam", regions=CELLS, target=1)
    assert set(found.notes) == {"the layer of the map is the one that is hidden outside the cell"}
    dense = Toy(architecture="mlp", side=16, channels=3, width=0.02).load()
    with pytest.raises(ModelError, match="expected a layer with more than one position"):
        hp.score(GridPointing(sees="features"), dense, IMAGES.float(), "gradient", regions=CELLS)
    assert hp.score(GridPointing(sees="cell"), dense, IMAGES.float(), "gradient", regions=CELLS).values.tolist() == [1, 1, 1]


def oracle(images: Tensor, target: Tensor, seed: int, model: Model | None = None, /) -> Attribution:
    """The object for the network of objects, nothing for another."""
    found = RandomMap().attribute(model or MODEL, images, target, seed=seed)
    values = REGIONS[:, None].expand_as(images) * (model is None)
    return type(found)(**{**vars(found), "values": values})


def test_the_oracle_has_contrast_1_and_edges_and_the_image_itself_0_and_a_swap_of_the_networks_changes_the_sign() -> None:
    metric = ModelContrast(other=SCENES)
    assert metric.score(MODEL, IMAGES, 1, oracle, regions=REGIONS).values.tolist() == [1, 1, 1]
    for control in (EdgeMap(), InputMap()):
        assert hp.score(metric, MODEL, IMAGES, control, regions=REGIONS).values.tolist() == [0, 0, 0]
    forth = hp.score(metric, MODEL, IMAGES, InputXGradient(), regions=REGIONS).values
    back = hp.score(ModelContrast(other=OBJECTS), OTHER, IMAGES, InputXGradient(), regions=REGIONS).values
    assert_close(forth, -back, 1e-9)
    assert (forth.abs() > 1e-4).all()


def test_a_map_of_edges_depends_on_the_object_that_it_should_not_show() -> None:
    flat = torch.where(REGIONS[:, None] == 1, torch.zeros_like(IMAGES), IMAGES)
    assert hp.score(InputDependence(), MODEL, IMAGES, EdgeMap(), regions=REGIONS, scenes=flat).values.tolist() == [0, 0, 0]


def test_the_patch_moves_the_network_less_than_the_object_and_stays_within_it_and_the_bounds() -> None:
    inside, confident = REGIONS == 1, network(SCENES)
    confident.module.logits.weight.data *= 300
    patched, moved = insignificant_patch(confident, IMAGES, WITHOUT, inside, 12, 100)
    start = insignificant_patch(confident, IMAGES, WITHOUT, inside, 1, 100)[1]
    assert (moved < 0.95 * start).all()
    assert torch.allclose(torch.where(inside[:, None], WITHOUT, patched), WITHOUT, atol=1e-12)
    assert patched.abs().max() <= 1
    assert (patched - WITHOUT).flatten(1).norm(dim=1).min() > 0.1


def test_what_is_not_known_is_missing_with_its_reason() -> None:
    regions, scenes = REGIONS.clone(), WITHOUT.clone()
    regions[0], scenes[1] = torch.nan, torch.nan
    found = hp.score(InputDependence(), MODEL, IMAGES, Gradient(), regions=regions, scenes=scenes)
    assert found.values.isnan().tolist() == [True, True, False]
    assert found.notes == ("the image comes without a region", "the image comes without the same image without its object", "")
    alone = ModelContrast(other=SCENES).score(MODEL, IMAGES, 1, bound(Gradient(), MODEL))
    assert set(alone.notes) == {"the image comes without a region"}


def test_bad_input_is_refused_with_the_remedy() -> None:
    with pytest.raises(UsageError, match="input_dependence: scenes: expected the images without their objects"):
        hp.score(InputDependence(), MODEL, IMAGES, Gradient(), regions=REGIONS)
    with shapes_checked(False), pytest.raises(TensorError, match=r"scenes: expected .* got \[3, 3, 8, 8\]"):
        hp.score(InputDependence(), MODEL, IMAGES, Gradient(), regions=REGIONS, scenes=WITHOUT[..., :8, :8])
    with pytest.raises(ModelError, match="model_contrast: expected `other`"):
        hp.score(ModelContrast(), MODEL, IMAGES, Gradient(), regions=REGIONS)
    with pytest.raises(ModelError, match="expected a network that takes the images of"):
        hp.score(ModelContrast(other=Toy()), MODEL, IMAGES, Gradient(), regions=REGIONS)
