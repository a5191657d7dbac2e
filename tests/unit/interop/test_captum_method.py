from typing import Any

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.core.errors import SettingsError, UsageError
from heatproof.interop import CaptumMethod
from heatproof.methods import Gradient, InputXGradient, IntegratedGradients, Method, SmoothGrad
from heatproof.models import Probability
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.perturb.fills import Zero
from tests.support.close import assert_close
from tests.unit.interop.peers import Small, images, model, obeys_the_laws, survives_json

attr = pytest.importorskip("captum.attr")
MASK = torch.arange(36).view(1, 1, 6, 6) // 9
NETWORK = Small()
ALGORITHMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "saliency": (attr.Saliency(NETWORK), {"abs": False}),
    "a class": (attr.InputXGradient, {}),
    "a name": ("IntegratedGradients", {"n_steps": 4}),
    "settings": (
        attr.IntegratedGradients(NETWORK, multiply_by_inputs=False),
        {"n_steps": 3, "baselines": torch.full((1, 2, 6, 6), 0.1)},
    ),
    "deep lift": (attr.DeepLift(NETWORK, eps=1e-8), {}),
    "lrp": (attr.LRP(NETWORK), {}),
    "guided": (attr.GuidedBackprop(NETWORK), {}),
    "deconvolution": (attr.Deconvolution(NETWORK), {}),
    "shap": (attr.GradientShap(NETWORK), {"baselines": torch.zeros(2, 2, 6, 6), "n_samples": 2}),
    "occlusion": (attr.Occlusion(NETWORK), {"sliding_window_shapes": (2, 3, 3), "strides": (2, 3, 3)}),
    "ablation": (attr.FeatureAblation(NETWORK), {"feature_mask": MASK}),
    "sampled values": (attr.ShapleyValueSampling(NETWORK), {"feature_mask": MASK, "n_samples": 2}),
    "noise": (attr.NoiseTunnel(attr.Saliency(NETWORK)), {"nt_samples": 2, "stdevs": 0.2}),
    "noise around a path": (attr.NoiseTunnel(attr.IntegratedGradients(NETWORK)), {"nt_samples": 2, "n_steps": 2}),
    "layer": (attr.LayerGradCam(NETWORK, NETWORK.act2), {}),
    "layer's path": (attr.LayerConductance(NETWORK, NETWORK.act), {"n_steps": 2}),
    "guided map": (attr.GuidedGradCam(NETWORK, NETWORK.act2), {}),
}


def method(name: str) -> CaptumMethod:
    algorithm, arguments = ALGORITHMS[name]
    return CaptumMethod(algorithm=algorithm, arguments=arguments)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_of_captum_obeys_the_laws_of_methods(name: str) -> None:
    obeys_the_laws(method(name))


@pytest.mark.parametrize("name", ["settings", "noise around a path", "layer", "guided map", "shap"])
def test_an_algorithm_survives_the_way_to_a_worker(name: str) -> None:
    survives_json(method(name))


def test_maps_are_those_of_captum() -> None:
    found = method("settings").attribute(model(), images(), target=1).values
    algorithm, arguments = ALGORITHMS["settings"]
    assert_close(found, algorithm.attribute(images(), target=1, **arguments).detach(), 1e-5)


def test_maps_agree_with_ours_where_the_formulas_do() -> None:
    pairs = [("saliency", Gradient()), ("a class", InputXGradient())]
    for name, ours in pairs:
        assert_close(method(name).attribute(model(), images(), 1).values, ours.attribute(model(), images(), 1).values, 1e-5)


def test_another_network_and_another_output_are_explained_not_those_of_the_object() -> None:
    torch.manual_seed(9)
    other = model().with_(output=Probability())
    nn.init.normal_(other.module.head.weight)
    assert_close(method("saliency").attribute(other, images(), 1).values, Gradient().attribute(other, images(), 1).values, 1e-5)


def test_the_gap_is_that_of_captums_own_delta() -> None:
    found = method("a name").attribute(model(), images(), 1)
    ours = IntegratedGradients(quadrature=GaussLegendre(steps=4), baseline=Zero()).attribute(model(), images(), 1)
    assert_close(found.expected_sum, ours.expected_sum, 1e-4)
    assert method("saliency").attribute(model(), images(), 1).expected_sum.isnan().all()


def test_a_layer_map_is_brought_to_the_image() -> None:
    algorithm = ALGORITHMS["layer"][0]
    coarse = algorithm.attribute(images(), target=1).sum(1, keepdim=True)
    found = method("layer").attribute(model(), images(), 1)
    assert_close(found.map(), coarse.detach(), 1e-5)


def test_what_draws_random_numbers_says_so() -> None:
    assert "captum draws from global generators" in method("noise").attribute(model(), images(), 1).notes[0]
    assert method("saliency").attribute(model(), images(), 1).notes == ("", "")


def test_a_score_and_a_wrapper_take_it_as_any_method() -> None:
    saliency = method("saliency")
    scores = hp.score("parameter_randomisation", model(), images(), saliency, target=1)
    assert_close(scores.values, hp.score("parameter_randomisation", model(), images(), Gradient(), target=1).values, 1e-4)
    attribution = saliency.attribute(model(), images(), 1)
    assert hp.score("repeatability", model(), images(), attribution).values.tolist() == [1, 1]
    assert SmoothGrad(method=saliency, samples=2).attribute(model(), images(), 1).values.shape == images().shape


def test_cost_is_estimated_from_the_counts_among_its_arguments() -> None:
    stated = {name: method(name).cost((2, 6, 6)) for name in ("saliency", "a name", "noise around a path", "occlusion")}
    assert {name: (cost.forward, cost.backward) for name, cost in stated.items()} == {
        "saliency": (1, 1),
        "a name": (4, 4),
        "noise around a path": (4, 4),
        "occlusion": (73, 0),
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"algorithm": Gradient()}, "expected an attribution algorithm of captum, its class or its name, got Gradient"),
        ({"algorithm": "IntegratedGradient"}, r"expected a class of captum.attr, got 'IntegratedGradient'"),
        ({"algorithm": attr.FeaturePermutation(NETWORK)}, "exchanges values between the images of a batch"),
        ({"algorithm": attr.Saliency, "arguments": {"target": 1}}, "expected arguments other than inputs, target.*got target"),
        ({"algorithm": attr.LayerGradCam(lambda x: NETWORK(x), NETWORK.act)}, "expected an object made for an nn.Module"),
    ],
)
def test_what_is_no_method_is_refused_with_the_remedy(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        CaptumMethod(**settings)


def test_what_captum_refuses_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"captum's Saliency: expected arguments .*'steps'") as caught:
        CaptumMethod(algorithm=attr.Saliency, arguments={"steps": 3}).attribute(model(), images(), 1)
    assert "\n" not in str(caught.value)


class Rule:
    """An object that has no JSON."""


def test_an_object_without_json_is_refused_when_it_is_read_back() -> None:
    odd = CaptumMethod(algorithm=attr.Saliency, arguments={"rule": Rule()})
    with pytest.raises(SettingsError, match=r"peers|Rule, which exists in Python only"):
        Method.from_dict(odd.to_dict())
