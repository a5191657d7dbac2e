from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import SettingsError, TensorError
from heatproof.methods import Competition, Gradient, IntegratedGradients
from heatproof.metrics import PerformanceInformationCurve, PixelFlipping, RandomLogit, SimilarityUnderChange
from heatproof.metrics.explain import bound
from heatproof.models import Bounds, Logit, LogProbability, Margin, Model, Output, Probability, Regression
from heatproof.models.classes import NO_CLASSES, check_target, class_probability, decision, default_target, number_of_classes
from tests.support import zoo
from tests.support.close import assert_close

NAMES = ("healthy", "ill")


class Difference(nn.Module):
    """One output that is negative for some images and positive for others."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner.eval()

    def forward(self, x: Tensor) -> Tensor:
        z = self.inner(x)
        return z[:, :1] - z[:, 1:2] + 8


def binary(**fields: object) -> Model:
    return zoo.model(Difference(zoo.residual()), dtype=torch.float64, class_names=NAMES, **fields)


def images() -> Tensor:
    return zoo.images(6, dtype=torch.float64)


def gradient_of(model: Model) -> tuple[Tensor, Tensor]:
    """z and ∇z by autograd alone."""
    x = images().requires_grad_()
    z = model.module.eval()(x)[:, 0]
    return z.detach(), torch.autograd.grad(z.sum(), x)[0]


def test_two_names_for_one_output_make_its_decision_the_sign() -> None:
    model = binary()
    z, _ = gradient_of(model)
    assert 0 < (z > 0).sum() < 6, "both classes occur"
    found = Gradient().attribute(model, images())
    assert torch.equal(found.target, (z > 0).long())
    assert [model.class_name(t) for t in (0, 1)] == list(NAMES)
    assert_close(class_probability(model, z[:, None], found.target), z.abs().sigmoid(), 1e-12)


@pytest.mark.parametrize(
    ("output", "slope"),
    [
        (Logit(), lambda z: torch.ones_like(z)),
        (Margin(), lambda z: torch.ones_like(z)),
        (Probability(), lambda z: z.sigmoid() * (-z).sigmoid()),
        (LogProbability(), lambda z: (-z).sigmoid()),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_map_of_each_class_is_its_own_evidence(output: Output, slope: object) -> None:
    """∇f(z) for class 1 and ∇f(−z) for class 0, f the output."""
    model = binary(output=output)
    z, grad = gradient_of(model)
    for target, sign in ((1, 1), (0, -1)):
        expected = (sign * slope(sign * z)).view(-1, 1, 1, 1) * grad
        assert_close(Gradient().attribute(model, images(), target).values, expected, 1e-12)
    complete = IntegratedGradients(quadrature={"name": "gauss_legendre", "steps": 200}).attribute(
        model, images(), torch.arange(6) % 2
    )
    assert complete.gap.max() < 0.05


def test_metrics_and_methods_find_the_other_of_two_classes() -> None:
    """The gradient of class 0 is minus that of class 1, so that their similarity is −1, and a rival wins nowhere."""
    model = binary()
    scores = RandomLogit(similarity="pearson").score(model, images(), None, bound(Gradient(), model))
    assert_close(scores.values, -torch.ones(6, dtype=torch.float64), 1e-6)
    plain = Gradient().attribute(model, images()).values
    assert torch.equal(Competition(method=Gradient()).attribute(model, images()).values, plain)
    z, _ = gradient_of(model)
    curve = PerformanceInformationCurve(steps=4, information="entropy").score(model, images(), None, plain).curve
    scored = curve[:, -1].isfinite()  # small images may hold as much information when they are blurred
    assert scored.any()
    assert_close(curve[scored, -1], z.abs().sigmoid()[scored], 1e-6)


def test_a_stated_probability_has_two_classes_without_names() -> None:
    model = zoo.model(
        nn.Sequential(Difference(zoo.residual()), nn.Sigmoid()), dtype=torch.float64, scale="probabilities", output=Probability()
    )
    p = model.module.eval()(images())[:, 0].detach()
    for target, expected in ((1, p), (0, 1 - p)):
        assert_close(model.explained(p[:, None], torch.full((6,), target)), expected, 1e-12)
    assert torch.equal(decision(model, p[:, None]), (p > 0.5).long())


# --- no class --------------------------------------------------------------------------------------------------------------


def difference(outputs: Tensor, target: Tensor) -> Tensor:
    return outputs[:, 1] - outputs[:, 0]


def class_free() -> dict[str, Model]:
    return {
        "one output": zoo.model(Difference(zoo.residual()), dtype=torch.float64),
        "one name": zoo.model(Difference(zoo.residual()), dtype=torch.float64, class_names=("age",)),
        "regression of one": zoo.model(Difference(zoo.residual()), dtype=torch.float64, output=Regression()),
        "regression of several": zoo.model(zoo.residual().eval(), dtype=torch.float64, output=Regression(index=2)),
        "own function": zoo.model(zoo.residual().eval(), dtype=torch.float64, output=difference),
        "own function with names": zoo.model(
            zoo.residual().eval(), dtype=torch.float64, output=difference, class_names=tuple("abcd")
        ),
    }


each = pytest.mark.parametrize("model", class_free().values(), ids=class_free().keys())


@each
def test_what_depends_on_no_class_has_none(model: Model) -> None:
    found = Gradient().attribute(model, images())
    outputs = model.outputs(images()).detach()
    assert found.target.tolist() == [-1] * 6
    assert number_of_classes(model, outputs) == 0
    assert class_probability(model, outputs, found.target).isnan().all()
    assert torch.equal(Gradient().attribute(model, images(), found.target).values, found.values), "its target is one to pass on"


@each
def test_there_is_no_other_class_to_ask_for(model: Model) -> None:
    of_the_map = (PerformanceInformationCurve(steps=4), PixelFlipping(steps=4, output=Probability()))
    for metric in (RandomLogit(draws=2), *of_the_map):
        scores = metric.score(model, images(), None, images() if metric in of_the_map else bound(Gradient(), model))
        assert scores.values.isnan().all()
        assert scores.notes == (NO_CLASSES,) * 6
    notes = PixelFlipping(steps=4).score(model, images(), None, images()).notes
    assert NO_CLASSES not in notes, "it follows what is explained"
    rivals = Competition(method=Gradient()).attribute(model, images())
    assert rivals.values.isnan().all()
    assert rivals.notes == (NO_CLASSES,) * 6


@each
def test_the_network_keeps_its_decision_only_where_it_makes_one(model: Model) -> None:
    metric = SimilarityUnderChange(levels=(0.1,))
    answer = metric.score(model, images(), None, bound(Gradient(), model)).components["answer"]
    assert answer.isfinite().all() == (model.output is difference)


def test_names_of_what_is_explained() -> None:
    names = {label: model.class_name(-1) for label, model in class_free().items()}
    assert names == {
        "one output": "the output",
        "one name": "age",
        "regression of one": "output 0",
        "regression of several": "output 2",
        "own function": "the output",
        "own function with names": "the output",
    }
    assert zoo.model(zoo.residual(), output=Regression(index=1), class_names=("age", "weight")).class_name(-1) == "weight"


def test_a_class_of_one_nameless_output_is_refused_with_the_two_remedies() -> None:
    for target in (0, 1):
        with pytest.raises(TensorError, match=rf"got class {target}; give the model class_names=.* or output=Regression\(\)"):
            Gradient().attribute(class_free()["one output"], images(), target)


def test_a_regression_takes_its_own_number_and_no_other() -> None:
    model = class_free()["regression of several"]
    assert Gradient().attribute(model, images(), 2).target.tolist() == [-1] * 6
    with pytest.raises(TensorError, match=r"expected none, since regression\(index=2\) explains output 2 .* got 1; .*index=1"):
        Gradient().attribute(model, images(), 1)


@pytest.mark.parametrize("target", [-1, [0, -1], 4])
def test_no_class_is_no_target_where_there_are_classes(target: int | list[int]) -> None:
    model = zoo.model(zoo.residual())
    for named in (model, model.with_(class_names=tuple("abcd")), model.with_(output=lambda z, t: z.gather(1, t[:, None])[:, 0])):
        with pytest.raises(TensorError, match="target: expected class"):
            Gradient().attribute(named, zoo.images(2), target)


@pytest.mark.parametrize("classes", [2, 5, 1000])
@pytest.mark.parametrize(
    ("output", "depends"),
    [
        (lambda z, t: z.gather(1, t[:, None])[:, 0], True),
        (lambda z, t: z.log_softmax(1).gather(1, t[:, None])[:, 0], True),
        (lambda z, t: z[:, 1] - z[:, 0], False),
        (lambda z, t: z.logsumexp(1), False),
        (lambda z, t: z.amax(1) + 0 * t, False),
    ],
    ids=["logit", "log-probability", "difference", "sum of exponentials", "largest"],
)
def test_a_function_of_ones_own_is_tried(output: object, depends: bool, classes: int) -> None:
    z = torch.zeros(3, classes)  # the same for all classes, which must not decide
    model = zoo.model(zoo.residual(), output=output)
    assert number_of_classes(model, z) == (classes if depends else 0)
    assert (default_target(model, z) >= 0).all() == depends


def test_a_regression_decides_for_no_class() -> None:
    z = zoo.normal(4, 3)
    model = zoo.model(zoo.residual())
    assert torch.equal(decision(model, z), z.argmax(1))
    assert torch.equal(decision(model.with_(output=difference), z), z.argmax(1)), "the network decides, whatever is explained"
    assert decision(model.with_(output=Regression()), z).tolist() == [-1] * 4
    check_target(model, z, torch.tensor([0, 1, 2, 2]))


def test_another_scale_than_the_three_is_refused() -> None:
    with pytest.raises(SettingsError, match="scale: expected logits, probabilities, log_probabilities or None, got 'softmax'"):
        Model.__post_init__(
            SimpleNamespace(module=nn.Flatten(), bounds=Bounds.of(0, 1, channels=1), chunk=None, memory=None, scale="softmax")
        )
