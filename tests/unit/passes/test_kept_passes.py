"""Passes that begin where they differ from the last pass: gradients are those of full passes, bit for bit, and less is computed."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import HeatproofError
from heatproof.edits.randomise import blocks, randomised
from heatproof.methods import Competition, GradCam, Gradient
from heatproof.metrics import CosineConvergence, ParameterRandomisation, RandomLogit, score
from heatproof.models import Bounds, Model
from heatproof.passes.activation import activation_gradients
from heatproof.passes.counting import PassCount, count_passes
from heatproof.passes.gradient import gradient
from heatproof.passes.kept_passes import keeping_passes, variants_in_one_pass
from heatproof.passes.network_checks import check_network
from heatproof.tracing.affine_batch_norm import _not_needed
from tests.support import zoo
from tests.support.alive import left_behind
from tests.zoo import ZOO, Network
from tests.zoo.network import drawn

NOT_KEPT = {"own function", "scripted", "traced", "exported", "data parallel"}
"""Networks of the zoo whose passes cannot be kept: a gradient of their own, or operations that cannot be seen."""
SEEN = [name for name, network in ZOO.items() if network.answer("gradient") == "right" and name != "compiled"]
TARGET = torch.tensor([0, 0])


def in_turn(network: Network) -> Callable[[], list[Tensor]]:
    """The gradients of a network for two classes, and with a new last block."""
    model, images = network.model(), network.rows()
    check_network(model, images, gradients=True)
    networks = [(model, TARGET), (model, TARGET + 1)]
    if network.name not in NOT_KEPT and any(True for _ in model.module.parameters()):
        networks.append((randomised(model, blocks(model, images, 4)[-1:], seed=1), TARGET))
    return lambda: [gradient(each, images, target)[0] for each, target in networks]


@pytest.mark.parametrize("name", SEEN)
def test_gradients_are_those_of_full_passes(name: str) -> None:
    try:
        gradients = in_turn(ZOO[name])
        plain = gradients()
    except HeatproofError:  # one output only, or weights that cannot be replaced
        return
    with keeping_passes(), count_passes() as passes:
        kept = gradients()
    same = torch.allclose if name in NOT_KEPT else torch.equal  # scripts are optimised while they run
    assert all(same(a.nan_to_num(), b.nan_to_num()) for a, b in zip(kept, plain, strict=True))
    assert (passes.equivalent < passes.forward) == (name not in NOT_KEPT)


@pytest.mark.parametrize("name", ["in place residual", "class token", "checkpointed", "batch norm to tokens"])
def test_gradients_at_a_layer_are_those_of_full_passes(name: str) -> None:
    model, images = ZOO[name].model(), ZOO[name].rows()

    def maps() -> list[Tensor]:
        found = [part for k in (0, 1) for _, part in activation_gradients(model, images, TARGET + k, None)]
        return [values for part in found for values in (part.values, part.gradient, part.scores) if values is not None]

    plain = maps()
    with keeping_passes(), count_passes() as passes:
        kept = maps()
    assert len(kept) == len(plain)
    assert all(torch.equal(a, b) for a, b in zip(kept, plain, strict=True))
    assert (passes.forward, passes.backward, passes.equivalent) == (4, 4, 2)


def test_batch_normalisation_stays_affine_after_a_pass_that_computed_none() -> None:
    model, images = ZOO["batch norm first"].model(), ZOO["batch norm first"].rows()
    plain = gradient(model, images, TARGET)[0]
    with keeping_passes():
        for _ in range(3):
            gradient(model, images, TARGET)
    assert torch.equal(gradient(model, images, TARGET)[0], plain)
    assert not _not_needed.get(model.module)


# --- what is computed again -------------------------------------------------------------------------------------------------


def halves() -> Model:
    torch.manual_seed(0)
    parts = [nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh()) for _ in range(4)]
    return Model(nn.Sequential(*parts, nn.Flatten(), nn.Linear(192, 3)).eval(), Bounds.of(-5, 5, channels=3))


def work(networks: list[Model], images: Tensor) -> list[float]:
    """The work of each pass, in full forward passes an image."""
    found = []
    with keeping_passes():
        for network in networks:
            with count_passes() as passes:
                gradient(network, images, TARGET)
            found.append(passes.equivalent / len(images))
    return found


def test_what_lies_before_the_first_new_block_is_not_computed_again() -> None:
    model, images = halves(), drawn(3, 8, 8)
    every = blocks(model, images)
    top_down = [randomised(model, every[-i:], seed=1) for i in range(1, len(every) + 1)]
    assert work(top_down, images)[1:] == sorted(work(top_down, images)[1:])
    convolution = 0.25 / (1 + 192 * 3 / (64 * 3 * 3 * 9) / 4)
    assert work(top_down, images)[-1] == 1
    assert work(top_down, images)[1] == pytest.approx(1 - 3 * convolution, abs=0.01)
    bottom_up = [randomised(model, every[:i], seed=1) for i in range(1, len(every) + 1)]
    assert work(bottom_up, images)[0] == 1
    assert work(bottom_up, images)[-1] < 0.1, "the blocks before have had their new weights already"


def test_a_weight_that_was_changed_in_place_counts_as_another() -> None:
    model, images = halves(), drawn(3, 8, 8)
    with keeping_passes():
        before = gradient(model, images, TARGET)[0]
        with torch.no_grad():
            model.module[0][0].weight.mul_(2)
        after = gradient(model, images, TARGET)[0]
    assert torch.equal(after, gradient(model, images, TARGET)[0])
    assert not torch.equal(after, before)


def test_other_images_have_passes_of_their_own_and_blocks_end() -> None:
    model, images = halves(), drawn(3, 8, 8)
    with keeping_passes(), count_passes() as passes:
        gradient(model, images, TARGET)
        gradient(model, -images, TARGET)
        with keeping_passes():
            gradient(model, images, TARGET)
            gradient(model, images / 2, TARGET)
        gradient(model, images / 2, TARGET)
        gradient(model, images, TARGET)
    assert passes.equivalent == 4 * 2, "what a block adds is released at its end"


def test_chunks_beyond_the_memory_are_computed_in_full() -> None:
    model, images = halves().with_(memory=60_000), drawn(3, 8, 8)
    with keeping_passes(), count_passes() as passes:
        for shift in (0, 1, 2, 0, 1, 2):
            gradient(model, images + shift, TARGET)
    assert 0 < passes.equivalent < passes.forward
    with keeping_passes(), count_passes() as passes:
        for _ in range(2):
            gradient(model.with_(incremental=False), images, TARGET)
    assert passes.equivalent == passes.forward


class Aliases(nn.Module):
    """Changes a tensor through a view, which cannot be computed on a copy."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(192, 3)

    def forward(self, x: Tensor) -> Tensor:
        flat = (x * 2).flatten(1)
        flat.view(len(x), 3, 64)[:, 0].mul_(3)
        return self.head(flat)


def test_a_tensor_changed_through_a_view_is_refused_and_computed_in_full() -> None:
    model, images = Model(Aliases().eval(), Bounds.of(-5, 5, channels=3)), drawn(3, 8, 8)
    with keeping_passes(), count_passes() as passes:
        found = [gradient(model, images, TARGET)[0] for _ in range(2)]
    assert torch.equal(found[1], gradient(model, images, TARGET)[0])
    assert passes.equivalent == passes.forward == 4


class Hooked(nn.Module):
    """Doubles the gradient by a hook that it puts on a tensor in every pass."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(192, 3)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1).tanh()
        if flat.requires_grad:
            flat.register_hook(lambda slope: 2 * slope)
        return self.head(flat)


def test_hooks_on_tensors_are_put_once_a_pass() -> None:
    model, images = Model(Hooked().eval(), Bounds.of(-5, 5, channels=3)), drawn(3, 8, 8)
    plain = gradient(model, images, TARGET)[0]
    with keeping_passes():
        assert all(torch.equal(gradient(model, images, TARGET)[0], plain) for _ in range(3))


# --- who uses it ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [Gradient(), GradCam()], ids=lambda method: method.name)
@pytest.mark.parametrize("chunk", [1, 3, None])
def test_competition_takes_all_gradients_of_few_forward_passes(method: Gradient | GradCam, chunk: int | None) -> None:
    model, images = zoo.model(zoo.residual(), chunk=chunk), zoo.images(3)
    full = Competition(method=method).attribute(model.with_(incremental=False), images, 0)
    attribution = Competition(method=method).attribute(model, images, 0)
    assert torch.allclose(attribution.values, full.values, rtol=1e-4, atol=1e-7)
    assert attribution.passes == full.passes
    assert attribution.passes.equivalent < full.passes.equivalent


def test_variants_come_once_each() -> None:
    model, images = zoo.model(zoo.residual(), chunk=2), zoo.images(3)

    def compute(image: list[int], variant: list[int]) -> Tensor:
        return gradient(model, images[image], torch.tensor(variant) % 2)[0]

    pairs = [
        pair for image, variant, _ in variants_in_one_pass(model, images, 5, compute) for pair in zip(image, variant, strict=True)
    ]
    assert sorted(pairs) == [(i, v) for i in range(3) for v in range(5)]


def passes_of(metric: ParameterRandomisation | RandomLogit | CosineConvergence) -> tuple[PassCount, Tensor, Tensor]:
    model, images = halves(), drawn(3, 8, 8)
    Gradient().attribute(model, images, 0)  # the first pass of a network is made alone, to measure its memory
    with count_passes() as passes:
        values = score(metric, model, images, Gradient(), target=0).values
    return passes, values, score(metric, model.with_(incremental=False), images, Gradient(), target=0).values


@pytest.mark.parametrize("order", ["top_down", "bottom_up", "independent"])
def test_a_cascade_computes_what_its_stages_do_not_share(order: str) -> None:
    passes, values, full = passes_of(ParameterRandomisation.model_validate({"order": order}))
    assert torch.equal(values, full)
    assert passes.forward == 2 * 6
    assert passes.equivalent < 0.75 * passes.forward


@pytest.mark.parametrize("metric", [RandomLogit(draws=2), CosineConvergence()], ids=lambda metric: metric.name)
def test_maps_of_many_classes_take_one_forward_pass(metric: RandomLogit | CosineConvergence) -> None:
    passes, values, full = passes_of(metric)
    assert torch.equal(values, full)
    assert passes.equivalent < passes.forward


def test_nothing_stays() -> None:
    model, images = ZOO["in place residual"].model(), ZOO["in place residual"].rows()
    calls: dict[str, Callable[[], object]] = {
        "competition": lambda: Competition().attribute(model, images, 1),
        "cascade": lambda: score(ParameterRandomisation(blocks=2), model, images, Gradient(), target=1),
    }
    assert left_behind(calls) == {}
