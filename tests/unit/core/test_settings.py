import json
import pickle
from collections.abc import Callable
from functools import partial

import pytest

from heatproof.core.errors import SettingsError, UnknownNameError
from heatproof.core.settings import canonical_json, content_hash, exports, lookup, snake_case
from heatproof.methods import Gradient, InputXGradient, IntegratedGradients, Method, SmoothGrad, SmoothTaylor
from heatproof.models.loaders import File
from heatproof.numerics.quadrature import GaussLegendre, Quadrature, RightRiemann
from heatproof.perturb.fills import Black, Custom, Fill, Uniform, White
from heatproof.perturb.noises import Gaussian
from tests.support import zoo


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IntegratedGradients", "integrated_gradients"),
        ("InputXGradient", "input_x_gradient"),
        ("LRPEpsilon", "lrp_epsilon"),
        ("Black", "black"),
    ],
)
def test_a_name_is_the_snake_case_of_its_class(name: str, expected: str) -> None:
    assert snake_case(name) == expected


def test_canonical_json_sorts_keys_and_refuses_nan() -> None:
    assert canonical_json({"b": 1.0, "a": [0.1, None, "é"]}) == '{"a":[0.1,null,"é"],"b":1.0}'
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))
    assert len(content_hash({})) == 32


def test_a_field_takes_an_object_a_name_or_a_table() -> None:
    forms = [White(), "white", {"name": "white"}]
    assert {IntegratedGradients(baseline=form).digest for form in forms} == {IntegratedGradients(baseline=White()).digest}


def test_a_table_without_a_name_changes_the_default_of_its_field() -> None:
    assert IntegratedGradients(quadrature={"steps": 7}).quadrature == GaussLegendre(steps=7)
    assert SmoothTaylor(noise={"antithetic": True}).noise == Gaussian(sigma=0.5, relative_to="absolute", antithetic=True)


def test_a_family_builds_any_member_by_name() -> None:
    built = Method.from_dict({"name": "smooth_grad", "method": {"name": "integrated_gradients", "quadrature": "right_riemann"}})
    assert built == SmoothGrad(method=IntegratedGradients(quadrature=RightRiemann()))
    assert Method.from_dict("gradient") == Gradient()
    assert Gradient.from_dict("gradient") == Gradient()


def test_a_nested_tensor_survives_json() -> None:
    method = IntegratedGradients(baseline=Custom(values=zoo.images(1)[0]))
    again = Method.from_dict(json.loads(json.dumps(method.to_dict())))
    assert again == method
    assert again.baseline.values.equal(zoo.images(1)[0])


def test_settings_survive_pickling() -> None:
    method = SmoothGrad(method=IntegratedGradients(baseline=Uniform(), baselines=3))
    assert pickle.loads(pickle.dumps(method)) == method


def test_equal_settings_are_one_key_of_a_dictionary() -> None:
    assert {IntegratedGradients(): 1}[IntegratedGradients(baseline="black")] == 1
    assert Gradient() != InputXGradient()
    assert Gradient() != "gradient"


def test_text_names_what_differs_from_the_defaults() -> None:
    assert str(IntegratedGradients()) == "integrated_gradients"
    assert str(IntegratedGradients(baseline=White())) == "integrated_gradients(baseline=white)"


def test_exports_are_the_concrete_members_of_a_family() -> None:
    assert exports(Quadrature)["gauss_legendre"] is GaussLegendre
    assert "quadrature" not in exports(Quadrature)
    assert lookup(Fill, "black") is Black


@pytest.mark.parametrize("build", [Method.from_dict, partial(lookup, Method)], ids=["table", "lookup"])
def test_an_unknown_name_is_said_with_the_nearest(build: Callable[[str], object]) -> None:
    with pytest.raises(UnknownNameError, match=r"no method is called 'gradiant'. Did you mean gradient"):
        build("gradiant")


FILE = {"path": "weights.pt", "architecture": {"name": "toy", "architecture": "mlp"}}
WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "unknown field": (
        lambda: Gaussian(sigme=1),
        r"gaussian: sigme: no such setting; did you mean sigma\? gaussian takes sigma, relative_to, antithetic",
    ),
    "impossible value": (lambda: Gaussian(sigma=-1), r"gaussian: sigma: should be greater than 0, got -1"),
    "infinite value": (lambda: Gaussian(sigma=float("inf")), r"sigma: should be a finite number, got inf"),
    "unknown choice": (lambda: Gaussian(relative_to="pixels"), r"relative_to: .*'absolute', 'image' or 'bounds'.*got 'pixels'"),
    "unknown name in a field": (lambda: IntegratedGradients(baseline="blak"), r"no fill is called .blak.. Did you mean"),
    "wrong family": (lambda: IntegratedGradients(baseline="gaussian"), r"baseline: no fill is called 'gaussian'"),
    "error in a field of a field": (lambda: SmoothTaylor(noise={"sigma": 0}), r"noise: .*sigma: should be greater than 0, got 0"),
    "name of a field within it": (
        lambda: File.from_dict(FILE | {"preprocessing": {"side": 0}}),
        r"^file: preprocessing: side: .*0$",
    ),
    "name alone": (lambda: File.from_dict(FILE | {"preprocessing": "x"}), r"no setting is called 'x'\. Known: preprocessing"),
    "baselines that are all the same": (lambda: IntegratedGradients(baselines=3), r"baselines: expected 1, .*got 3; use"),
    "variance of one sample": (lambda: SmoothGrad(samples=1, moment="variance"), r"samples: expected at least 2"),
    "table without a name": (lambda: Method.from_dict({"samples": 3}), r"expected a name, got .*gradient"),
    "not a table": (lambda: Method.from_dict(3), r"method"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_said_with_its_place_and_what_was_expected(case: str) -> None:
    build, words = WRONG[case]
    with pytest.raises(SettingsError, match=words):
        build()
