import pytest
import torch

from heatproof.core.errors import SettingsError
from heatproof.interop import ZennitMethod
from heatproof.methods import Gradient, IntegratedGradients, Method
from heatproof.models import Probability
from tests.support.close import assert_close
from tests.unit.interop.peers import Small, images, model, obeys_the_laws, survives_json

attribution = pytest.importorskip("zennit.attribution")
composites = pytest.importorskip("zennit.composites")
NETWORK = Small()
METHODS = {
    "gradient": ZennitMethod(start="one"),
    "composite": ZennitMethod(composite=composites.EpsilonPlusFlat(epsilon=1e-3)),
    "composite by name": ZennitMethod(composite={"class": "EpsilonPlus", "settings": {"epsilon": 1e-3}}),
    "smooth": ZennitMethod(attributor=attribution.SmoothGrad(NETWORK, noise_level=0.2, n_iter=2)),
    "path": ZennitMethod(attributor={"class": "IntegratedGradients", "settings": {"n_iter": 3}}),
    "occlusion": ZennitMethod(attributor=attribution.Occlusion(NETWORK, window=3, stride=3)),
}


@pytest.mark.parametrize("name", METHODS)
def test_an_attributor_obeys_the_laws_of_methods(name: str) -> None:
    obeys_the_laws(METHODS[name])


@pytest.mark.parametrize("name", ["gradient", "composite by name", "path"])
def test_what_has_a_name_survives_the_way_to_a_worker(name: str) -> None:
    survives_json(METHODS[name])


def test_maps_are_those_of_zennit() -> None:
    found = METHODS["composite"].attribute(model(), images(), target=1).values
    one_hot = torch.eye(3)[[1, 1]]
    with attribution.Gradient(NETWORK, composites.EpsilonPlusFlat(epsilon=1e-3)) as attributor:
        _, expected = attributor(images(), lambda output: output * one_hot)
    assert_close(found, expected, 1e-5)


def test_without_a_composite_the_gradient_is_that_of_any_output() -> None:
    explained = model().with_(output=Probability())
    assert_close(
        METHODS["gradient"].attribute(explained, images(), 1).values, Gradient().attribute(explained, images(), 1).values, 1e-5
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"composite": "EpsilonPuls"}, "expected a class of zennit.composites or zennit.core, got 'EpsilonPuls'"),
        ({"composite": IntegratedGradients()}, "expected a composite of zennit"),
        ({"attributor": composites.EpsilonPlus()}, "expected an attributor of zennit"),
        ({"attributor": attribution.Gradient(NETWORK, attr_output=torch.ones_like)}, "expected an attributor without attr_output"),
        ({"attributor": attribution.Gradient(NETWORK, composites.EpsilonPlus())}, "expected an attributor without a composite"),
    ],
)
def test_what_is_no_method_is_refused_with_the_remedy(settings: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        ZennitMethod(**settings)


def test_an_object_of_zennit_is_refused_when_it_is_read_back() -> None:
    with pytest.raises(SettingsError, match="EpsilonPlusFlat, which exists in Python only"):
        Method.from_dict(METHODS["composite"].to_dict())
