"""Our methods by the calls of captum, quantus and grad-cam: against these where they are installed, and by their calls alone."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import TensorError, UsageError
from heatproof.interop import CaptumStyle, GradCamStyle, SeveralInputs, quantus_explain_func
from heatproof.methods import GradCam, Gradient, InputXGradient, IntegratedGradients, Lrp, SmoothGrad
from heatproof.models import Bounds
from heatproof.perturb.fills import Zero
from tests.support.close import assert_close
from tests.unit.interop.peers import images, model

TABLES = (Bounds.of(0, 1, channels=3), Bounds.of(0, 1, channels=2))


def two_inputs() -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    torch.manual_seed(1)
    return nn.Bilinear(3, 2, 4), (torch.rand(5, 3), torch.rand(5, 2))


# --- captum -----------------------------------------------------------------------------------------------------------------


def test_the_call_of_captum_gives_the_map() -> None:
    bound = CaptumStyle(Gradient(), model())
    expected = Gradient().attribute(model(), images(), 1).values
    assert_close(bound.attribute(images().requires_grad_(), target=1), expected, 1e-6)
    assert_close(bound.attribute((images(),), target=1)[0], expected, 1e-6)
    assert_close(CaptumStyle(Gradient(), model().module, model().bounds).attribute(images(), target=1), expected, 1e-6)


def test_several_inputs_are_explained_as_captum_explains_them() -> None:
    attr = pytest.importorskip("captum.attr")
    network, inputs = two_inputs()
    ours = CaptumStyle(IntegratedGradients(baseline=Zero()), network, TABLES).attribute(inputs, target=1)
    theirs = attr.IntegratedGradients(network).attribute(inputs, target=1)
    for mine, other in zip(ours, theirs, strict=True):
        assert_close(mine, other.detach().float(), 1e-5)


def test_several_inputs_have_the_closed_form_of_a_bilinear_function() -> None:
    network, (left, right) = two_inputs()
    found = CaptumStyle(InputXGradient(), network, TABLES).attribute((left, right), target=2)
    both = torch.einsum("bi,ij,bj->bij", left, network.weight[2].detach(), right)
    assert_close(found[0], both.sum(2), 1e-5)
    assert_close(found[1], both.sum(1), 1e-5)


def test_inputs_of_different_rank_are_split_again() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(2, 3, 3), nn.Linear(3 + 4, 2)

        def forward(self, image: Tensor, row: Tensor) -> Tensor:
            return self.head(torch.cat([self.conv(image).relu().mean((2, 3)), row], 1))

    torch.manual_seed(0)
    pair = SeveralInputs(Both(), (Bounds.of(-1, 1, channels=2), Bounds(torch.zeros(4), torch.arange(1.0, 5))))
    inputs = images(), torch.rand(2, 4)
    explained, joined = pair.joined(*inputs)
    assert joined.shape == (2, 2 * 36 + 4)
    assert explained.bounds.upper[-1] == 4
    for method in (IntegratedGradients(), SmoothGrad(samples=2), Lrp()):
        parts = pair.split(method.attribute(explained, joined, target=1).values, inputs)
        assert [part.shape for part in parts] == [each.shape for each in inputs]


def test_wrong_inputs_are_refused_with_the_remedy() -> None:
    network, inputs = two_inputs()
    bound = CaptumStyle(Gradient(), network, TABLES)
    with pytest.raises(TensorError, match="inputs: expected 2, one for each of the bounds, got 1"):
        bound.attribute(inputs[0], target=1)
    with pytest.raises(TensorError, match=r"inputs\[1\]: expected floating-point values \[5, 2, …\] .* got torch.int64"):
        bound.attribute((inputs[0], torch.ones(5, 2, dtype=torch.long)), target=1)
    with pytest.raises(UsageError, match=r"inputs: expected one tensor, as the model takes, got 2"):
        CaptumStyle(Gradient(), model()).attribute(inputs)
    with pytest.raises(UsageError, match="got a module without bounds"):
        CaptumStyle(Gradient(), network)


# --- quantus ----------------------------------------------------------------------------------------------------------------


def test_the_call_of_quantus_gives_the_sum_over_channels() -> None:
    explained = model()
    explain_func = quantus_explain_func(Gradient(), explained)
    found = explain_func(explained.module, images().numpy(), np.array([1, 2]), device="cpu")
    assert_close(torch.from_numpy(found), Gradient().attribute(explained, images(), [1, 2]).map(), 1e-6)
    kept = quantus_explain_func(Gradient(), explained, reduction="none")
    assert kept(explained.module, images().numpy(), np.array([1, 2])).shape == (2, 2, 6, 6)


def test_quantus_may_hand_on_another_network() -> None:
    explained, other = model(), model()
    nn.init.normal_(other.module.head.weight)
    explain_func = quantus_explain_func(Gradient(), explained)
    found = explain_func(other.module, images().numpy(), np.array([1, 2]))
    assert_close(torch.from_numpy(found), Gradient().attribute(other, images(), [1, 2]).map(), 1e-6)


def test_quantus_settings_of_a_method_are_refused() -> None:
    with pytest.raises(UsageError, match="expected no settings of the method here, got n_steps"):
        quantus_explain_func(Gradient(), model())(None, images().numpy(), np.array([1, 2]), n_steps=3)


@pytest.mark.filterwarnings("ignore")
def test_quantus_scores_our_maps() -> None:
    quantus = pytest.importorskip("quantus")
    explained = model()
    metric = quantus.MaxSensitivity(nr_samples=2, disable_warnings=True, display_progressbar=False)
    scores = metric(
        model=explained.module,
        x_batch=images().numpy(),
        y_batch=np.array([1, 2]),
        explain_func=quantus_explain_func(Gradient(), explained),
        device="cpu",
    )
    assert np.isfinite(scores).all()


# --- grad-cam ---------------------------------------------------------------------------------------------------------------


class ClassifierOutputTarget:
    """A stand-in for the class of that name in grad-cam."""

    def __init__(self, category: int) -> None:
        self.category = category

    def __call__(self, outputs: Tensor) -> Tensor:
        return outputs[self.category]


def test_the_call_of_grad_cam_gives_heat_maps_between_zero_and_one() -> None:
    heat = GradCamStyle(GradCam(), model())(input_tensor=images(), targets=[ClassifierOutputTarget(1), ClassifierOutputTarget(2)])
    values = GradCam().attribute(model(), images(), [1, 2]).map()[:, 0]
    assert heat.shape == (2, 6, 6)
    for one, signed in zip(torch.from_numpy(heat), values, strict=True):
        assert_close(one * signed.amax(), signed, 1e-5)


def test_a_map_without_a_positive_value_is_zero() -> None:
    nothing = SimpleNamespace(attribute=lambda *_, **__: SimpleNamespace(values=-torch.ones(2, 2, 6, 6)))
    assert not GradCamStyle(nothing, model())(images()).any()


def test_any_function_of_the_outputs_is_a_target() -> None:
    def difference(outputs: Tensor) -> Tensor:
        return outputs[1] - outputs[2]

    with GradCamStyle(Gradient(), model()) as cam:
        found = cam(images(), [difference, ClassifierOutputTarget(1)])
    values = Gradient().attribute(model().with_(output=lambda z, _: z[:, 1] - z[:, 2]), images()[:1]).map().relu()
    assert_close(torch.from_numpy(found[0]), (values / values.amax())[0, 0], 1e-5)
    with pytest.raises(UsageError, match="targets: expected 2, one for each image, or None, got 1"):
        cam(images(), [difference])


@pytest.mark.filterwarnings("ignore")
def test_heat_maps_are_those_of_grad_cam() -> None:
    peer = pytest.importorskip("pytorch_grad_cam")
    targets: Any = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    explained = model()
    explained.module.eval()
    wanted = [targets.ClassifierOutputTarget(1), targets.ClassifierOutputTarget(2)]
    with peer.GradCAM(model=explained.module, target_layers=[explained.module.act2]) as cam:
        expected = cam(input_tensor=images(), targets=wanted)
    found = GradCamStyle(GradCam(layer="act2"), explained)(input_tensor=images(), targets=wanted)
    low = torch.from_numpy(found).flatten(1)
    scaled = (low - low.amin(1, keepdim=True)) / (low.amax(1, keepdim=True) - low.amin(1, keepdim=True))  # theirs begins at 0
    assert_close(scaled.view(2, 6, 6), torch.from_numpy(expected), 1e-3)
