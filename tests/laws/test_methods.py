"""The laws every exported method obeys, with each of its settings in the table of cases."""

import functools
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import ModelError, TensorError
from heatproof.core.settings import exports
from heatproof.methods import (
    Attribution,
    DeepTaylor,
    FeatureAblation,
    Gradient,
    Lrp,
    Method,
    Occlusion,
    PatternAttribution,
    PatternNet,
    SmoothTaylor,
)
from heatproof.models import Regression
from heatproof.passes.counting import PassCount
from heatproof.passes.forward import known_outputs, raw_outputs
from heatproof.passes.incremental import incremental
from heatproof.tracing.capture import spatial_layers
from tests.laws.cases import BY_DEFAULT, CHEAP_CURVE, MAPS_OF_A_CONSTANT_OUTPUT, METHODS, every, every_change, for_images_of, suited
from tests.support import zoo
from tests.support.checking import shapes_checked
from tests.support.close import assert_close, assert_different, gap
from tests.support.state import disturb_chance, state_of, state_of_chance, state_of_tensor

pytestmark = pytest.mark.one_process  # one process computes the usual maps, with which most laws compare
FLOAT32, FLOAT64 = 1e-5, 1e-12
AFFORDABLE = 60
"""Passes of a method that the laws run by its default settings."""
PACKED = ("tuple", "list", "mapping with logits", "mapping", "object")
"""The ways in which networks return their logits."""
SHAPE = tuple(zoo.images(1).shape[1:])
PIECES = (1, 2, 3, 4, 6)
"""The sides of what methods remove in their cases, on images of both sizes that costs are tried on."""
ABSORBED = 1e-5
"""The largest share of the expected sum that stabilisers may keep; their ε is 1e-6 of the denominators."""


def methods_where(holds: Callable[[Method], bool]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("method", [row for row in every(METHODS) if holds(row.values[0])])


def stops_early(method: Method) -> bool:
    """Whether the number of rows depends on the network and the image."""
    searches = getattr(method, "search", "") == "published"
    return searches or any(getattr(method, name, None) is not None for name in ("tolerance", "map_tolerance"))


def adapts(method: Method) -> bool:
    """Whether where it probes depends on the network."""
    return getattr(method, "positions", "uniform") == "adaptive"


def absorbs(method: Method) -> bool:
    """Whether stabilisers and biases keep a share of what the map should sum to."""
    return "stabiliser" in json.dumps(method.to_dict())


methods = methods_where(lambda method: True)
running = methods_where(lambda method: method.cost(SHAPE).forward > 0)
"""Methods that run the network."""
differentiating = methods_where(lambda method: method.cost(SHAPE).backward > 0)
"""Methods that take gradients of the network."""
explaining = methods_where(lambda method: not method.control)
"""Methods that claim to explain the network."""
discriminating = methods_where(lambda method: not method.control and method.class_discriminative)
"""Methods that claim to explain one output of the network."""
class_blind = methods_where(lambda method: not method.class_discriminative)
no_images = pytest.mark.parametrize(
    ("network", "channels", "data"),
    [(zoo.tabular_mlp, 7, zoo.table), (zoo.temporal_conv, 2, zoo.signals)],
    ids=["table", "signal"],
)
"""Data that are no images `[b, c, h, w]`, and a network for each kind."""


def test_every_exported_method_has_cases() -> None:
    assert {family.name for family in METHODS} == set(exports(Method))


@functools.cache
def usual(method: Method, network: str = "residual") -> Attribution:
    """The maps of three images for class 0, shapes and types checked; computed once for all laws that compare with them."""
    with shapes_checked(True):
        return method.attribute(zoo.known(network), zoo.images(3), 0)


def expensive(method: Method) -> str:
    """What to do about settings that the laws cannot afford; empty if they can."""
    passes = method.cost(SHAPE).forward + method.cost(SHAPE).backward
    remedy = f"{method.name} costs {passes} passes by default: give it cheap settings in tests/laws/cases.py"
    return remedy if passes > AFFORDABLE else ""


def test_default_settings_are_cheap() -> None:
    rows = [method for variants in BY_DEFAULT.values() for method in variants.values() if isinstance(method, Method)]
    assert [message for method in rows if (message := expensive(method))] == []
    assert "cheap settings" in expensive(SmoothTaylor())


# --- the answer ------------------------------------------------------------------------------------------------------------


@methods
def test_a_map_is_shaped_typed_and_placed_as_its_image(method: Method) -> None:
    images, found = zoo.images(3), usual(method)
    assert (found.values.shape, found.values.dtype, found.values.device) == (images.shape, images.dtype, images.device)
    assert found.expected_sum.shape == found.error.shape == found.target.shape == (3,)
    assert found.expected_sum.dtype == found.error.dtype == images.dtype
    assert len(found.notes) == 3
    assert not found.values.requires_grad
    assert not found.expected_sum.requires_grad


@methods
def test_a_map_shares_no_memory_with_the_image(method: Method) -> None:
    images = zoo.images(2)
    before = images.clone()
    method.attribute(zoo.known(), images, 0).values.zero_()
    assert torch.equal(images, before)


@methods
def test_the_answer_names_its_settings_seed_output_and_passes(method: Method) -> None:
    found = method.attribute(zoo.known(), zoo.images(3), [0, 1, 2], seed=5)
    assert Method.from_dict(json.loads(found.method)) == method
    assert (found.seed, found.output, found.target.tolist()) == (5, "logit", [0, 1, 2])
    assert found.seconds > 0


FROM_THE_OUTPUT = (
    DeepTaylor(),
    DeepTaylor(bounded=False),
    Lrp(composite="z_plus_everywhere"),
    *METHODS[PatternNet].values(),
    *METHODS[PatternAttribution].values(),
)
"""Methods that share out the output itself among the pixels, whatever its zero is: another zero is a factor of their maps."""


@explaining
def test_the_zero_of_a_quantity_changes_no_map_but_for_a_factor_where_the_output_itself_is_shared_out(method: Method) -> None:
    def of(zero: float) -> Tensor:
        module = zoo.residual().double()
        module.head.bias.data += zero
        model = zoo.model(module, dtype=torch.float64, output=Regression(index=1))
        return method.attribute(model, zoo.images(2).double()).values.flatten(1)

    found, other = of(0.0), of(20.0)
    if method in FROM_THE_OUTPUT:
        found, other = (values / values.abs().amax(1, keepdim=True) for values in (found, other))
        other = other * (found * other).sum(1, keepdim=True).sign()
    assert_close(other, found, 1e-5)


# --- what is the caller's --------------------------------------------------------------------------------------------------


def watched() -> nn.Module:
    """A network in a state that a careless library would change: mixed train flags, grads, frozen and free parameters, a hook."""
    module = zoo.residual()
    module.train()
    module.norm.eval()
    module.stem.weight.requires_grad_(False)
    module.head.weight.grad = torch.ones_like(module.head.weight)
    module.block.register_forward_hook(lambda *_: None)
    return module


@methods
def test_the_callers_network_and_tensors_are_untouched(method: Method) -> None:
    module, images, target = watched(), zoo.images(3).requires_grad_(), torch.tensor([0, 1, 2])
    model = zoo.model(module)
    before = state_of(module), state_of_tensor(images), state_of_tensor(target)
    method.attribute(model, images, target)
    assert (state_of(module), state_of_tensor(images), state_of_tensor(target)) == before


@running
def test_the_callers_network_is_untouched_when_it_fails_in_the_middle(method: Method) -> None:
    for error, after in itertools.product((RuntimeError("broken layer"), KeyboardInterrupt()), (0, 1)):
        module, images = zoo.Failing(watched(), error), zoo.images(4)
        model, module.left = zoo.checked(zoo.model(module, chunk=2), images), after
        before = state_of(module), state_of_tensor(images)
        with pytest.raises(type(error)):
            method.attribute(model, images, 0)
        assert (state_of(module), state_of_tensor(images)) == before, (error, after)


@methods
def test_a_network_that_overwrites_its_input_neither_changes_the_image_nor_the_map(method: Method) -> None:
    images = zoo.images(4)
    before = state_of_tensor(images)
    overwriting = method.attribute(zoo.model(zoo.relu_first(inplace=True), chunk=3), images)
    assert state_of_tensor(images) == before
    honest = method.attribute(zoo.model(zoo.relu_first(inplace=False), chunk=3), images)
    assert torch.equal(overwriting.values, honest.values)


# --- independence ----------------------------------------------------------------------------------------------------------


def assert_same_answer(found: Attribution, expected: Attribution, tolerance: float) -> None:
    assert_close(found.values, expected.values, tolerance)
    assert_close(found.expected_sum, expected.expected_sum, 100 * tolerance)
    assert found.target.tolist() == expected.target.tolist()
    assert found.probes.tolist() == expected.probes.tolist()
    assert found.notes == expected.notes


def rows_of(found: Attribution, rows: list[int]) -> Attribution:
    per_sample = {name: getattr(found, name)[rows] for name in ("values", "expected_sum", "error", "target", "probes")}
    return replace(found, **per_sample, notes=tuple(found.notes[row] for row in rows))


@pytest.mark.parametrize(
    ("network", "dtype", "tolerance"),
    [
        ("residual", torch.float64, FLOAT64),
        ("bias-free relu", torch.float64, FLOAT64),
        ("smooth", torch.float32, FLOAT32),
    ],
    ids=["residual, float64", "bias-free relu, float64", "smooth, float32"],
)
@methods
def test_a_map_does_not_depend_on_batch_mates_order_or_chunk(
    method: Method, network: str, dtype: torch.dtype, tolerance: float
) -> None:
    model, images = zoo.known(network, dtype).with_(chunk=64), zoo.images(6, dtype=dtype)
    together = method.attribute(model, images, seed=7)
    order = [3, 0, 5]
    assert_same_answer(method.attribute(model.with_(chunk=3), images[order], seed=7), rows_of(together, order), tolerance)
    for row, chunk in ((0, 1), (5, 64)):
        alone = method.attribute(model.with_(chunk=chunk), images[row : row + 1], seed=7)
        assert_same_answer(alone, rows_of(together, [row]), tolerance)


@pytest.mark.parametrize("network", zoo.IMPURE)
@running
def test_a_network_that_is_no_function_of_each_image_is_refused_in_the_same_words(method: Method, network: str) -> None:
    build, words = zoo.IMPURE[network]
    with pytest.raises(ModelError, match=words):
        method.attribute(zoo.model(build()), zoo.images(2), 0)


@methods
def test_two_equal_images_in_one_batch_get_equal_maps(method: Method) -> None:
    images = zoo.images(2)[[0, 1, 0]]
    values = method.attribute(zoo.known().with_(chunk=4), images, 0).values
    assert_close(values[2], values[0], FLOAT32)


@methods
def test_the_same_seed_gives_the_same_map_to_the_last_bit(method: Method) -> None:
    again = method.attribute(zoo.known(), zoo.images(3), 0)
    assert torch.equal(again.values, usual(method).values)


@methods
def test_another_seed_gives_another_map_if_and_only_if_the_method_is_stochastic(method: Method) -> None:
    once = usual(method, "smooth").values
    other = method.attribute(zoo.known("smooth"), zoo.images(3), 0, seed=1).values
    changed = [gap(a, b) > 1e-3 for a, b in zip(once, other, strict=True)]
    assert changed == [method.stochastic] * 3
    assert method.stochastic or torch.equal(once, other)


@methods
def test_global_random_state_is_neither_used_nor_changed(method: Method) -> None:
    model, expected = zoo.model(zoo.residual()), usual(method).values
    disturb_chance(1)
    before = state_of_chance()
    found = method.attribute(model, zoo.images(3), 0).values
    assert state_of_chance() == before
    assert torch.equal(found, expected)


@methods
def test_the_default_type_of_torch_is_irrelevant(method: Method) -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(3)
    expected = usual(method)
    torch.set_default_dtype(torch.float64)
    try:
        again = method.attribute(model, images, 0)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(again.values, expected.values)
    assert again.values.dtype == torch.float32


@pytest.mark.parametrize("network", ["residual", "smooth"])
@methods
def test_float64_agrees_with_float32(method: Method, network: str) -> None:
    model, images = zoo.known(network, torch.float64), zoo.images(3, dtype=torch.float64)
    double = method.attribute(model, images, 0).values
    assert double.dtype == torch.float64
    assert_close(usual(method, network).values, double.float(), 2e-4)


@methods
def test_the_callers_gradient_mode_is_irrelevant(method: Method) -> None:
    model = zoo.known()
    expected, top = usual(method), method.attribute(model, zoo.images(3))
    for mode in (torch.no_grad, torch.inference_mode):  # the other one is that of all calls above
        with mode():
            images = zoo.images(3) + 0.0  # made in this mode
            target = torch.zeros(3, dtype=torch.long)
            assert_same_answer(method.attribute(model, images, target), expected, 0)
            assert_same_answer(method.attribute(model, images), top, 0)


@methods
def test_training_mode_is_irrelevant(method: Method) -> None:
    training = method.attribute(zoo.model(zoo.residual().train()), zoo.images(3), 0)
    assert torch.equal(training.values, usual(method).values)


# --- targets and outputs ---------------------------------------------------------------------------------------------------


@methods
def test_a_target_may_be_a_number_a_list_a_tensor_or_none(method: Method) -> None:
    """Forms of numbers are one before a method sees them, in `Method.attribute`, which none has of its own."""
    model, images = zoo.known(), zoo.images(3)
    by_number = method.attribute(model, images, 2)
    forms: list[Any] = [torch.tensor([2, 2, 2], dtype=torch.int32), [2, 2, 2], (2, 2, 2), torch.tensor([2, 2, 2])]
    assert type(method).attribute is Method.attribute
    for form in forms if isinstance(method, Gradient) else forms[:1]:
        assert torch.equal(method.attribute(model, images, form).values, by_number.values)
    top = zoo.residual().eval()(images).argmax(1)
    by_none = method.attribute(model, images)
    assert by_none.target.tolist() == top.tolist()
    assert torch.equal(by_none.values, method.attribute(model, images, top).values)


@discriminating
def test_each_image_is_explained_for_its_own_target(method: Method) -> None:
    model, images = zoo.known("smooth"), zoo.images(3)
    mixed = method.attribute(model, images, [2, 0, 1]).values
    for row, target in enumerate([2, 0, 1]):
        assert_close(mixed[row], method.attribute(model, images, target).values[row], FLOAT32)
    for row, other in enumerate(method.attribute(model, images, 3).values):
        assert_different(mixed[row], other)


@class_blind
def test_a_method_that_declares_itself_blind_to_the_class_is_blind_to_class_and_output(method: Method) -> None:
    images = zoo.images(3)
    model = zoo.known("smooth")
    expected = method.attribute(model, images, 0).values
    assert torch.equal(method.attribute(model, images, 3).values, expected)
    product = model.with_(output=lambda outputs, target: outputs[:, 0] * outputs[:, 1])
    assert torch.equal(method.attribute(product, images, 0).values, expected)


@explaining
def test_another_network_gives_another_map(method: Method) -> None:
    others = method.attribute(zoo.model(zoo.filled(zoo.Residual(), seed=14, scale=2)), zoo.images(3), 0)
    for one, other in zip(usual(method).values, others.values, strict=True):
        assert_different(one, other)


@explaining
def test_another_image_gives_another_map(method: Method) -> None:
    """Behind max pooling, since DeconvNet depends on the image through nothing else."""
    first, second = method.attribute(zoo.model(zoo.Pooled(zoo.residual())), zoo.images(4)[2:], 0).values
    assert_different(first, second)


@methods
def test_logits_may_come_packed(method: Method) -> None:
    for kind in PACKED:
        packed = method.attribute(zoo.model(zoo.Packed(zoo.smooth_conv(), kind)), zoo.images(3), 0)
        assert torch.equal(packed.values, usual(method, "smooth").values), kind


@discriminating
def test_the_explained_output_may_be_any_function(method: Method) -> None:
    images = zoo.images(2)
    model = zoo.known("smooth")
    product = model.with_(output=lambda outputs, target: outputs[:, 0] * outputs[:, 1])
    assert_different(method.attribute(product, images, 0).values, method.attribute(model, images, 0).values)


@no_images
@methods
def test_tables_and_signals_are_explained_or_refused_by_the_name_of_what_needs_images(
    method: Method, network: Callable[[], nn.Module], channels: int, data: Callable[[int], Tensor]
) -> None:
    model, rows = zoo.model(network(), channels=channels), data(4)
    method = suited(method, model, rows)
    needing = [
        part
        for part in method.nested()
        if getattr(part, "needs_images", False) or (getattr(part, "needs_places", False) and rows.ndim < 3)
    ]
    if needing:
        first = needing[0]
        words = rf"{first.name}: expected images \[b, c, h, w\].*, got \[4, {channels}.*choose another {first.family}"
        with pytest.raises(TensorError, match=words):
            method.attribute(model, rows)
        return
    together = method.attribute(model, rows)
    assert together.values.shape == rows.shape
    assert_close(method.attribute(model.with_(chunk=1), rows[2:3]).values, together.values[2:3], FLOAT32)


# --- axioms on networks with closed-form answers ----------------------------------------------------------------------------


@methods_where(lambda method: not adapts(method))
def test_an_expected_sum_is_the_sum_on_linear_networks(method: Method) -> None:
    """For linear f, any rule, draw or number of samples sums to the expected sum exactly, unless rows differ in weight."""
    network = zoo.Linear((3, 8, 8))
    if absorbs(method):  # the bias of a layer takes its share by definition
        nn.init.zeros_(network.bias)
    model, images = zoo.model(zoo.layered(network), dtype=torch.float64), zoo.images(3, dtype=torch.float64)
    found = method.attribute(model, images, 1)
    stated = ~found.expected_sum.isnan()
    outputs = model.outputs(images)[:, 1]
    allowed = ABSORBED if absorbs(method) else FLOAT64
    assert ((found.values.flatten(1).sum(1) - found.expected_sum).abs() < allowed * outputs.abs())[stated].all()
    complete = {axiom.name for axiom in method.axioms} & {"COMPLETE"}
    assert not complete or stated.all()


def additive(seed: int) -> nn.Module:
    """A sum of sines with dummies at the first row of channel 0, and pixels (4, 4) and (6, 2) of channel 1 interchangeable."""
    amplitude, frequency = zoo.normal(2, 3, 8, 8, seed=seed), zoo.normal(3, 8, 8, seed=seed + 1)
    amplitude[:, 0, 0] = 0
    amplitude[:, 1, 6, 2], frequency[1, 6, 2] = amplitude[:, 1, 4, 4], frequency[1, 4, 4]
    return zoo.AdditiveSines(amplitude, frequency)


def declares(axiom: str) -> Any:
    """A map of as many draws as it takes, where they are needed, is linear only for functions that take the same ones."""
    rows = [p for p in every(METHODS) if axiom in {a.name for a in p.values[0].axioms}]
    rows = [p for p in rows if axiom != "LINEAR" or not (stops_early(p.values[0]) or adapts(p.values[0]))]
    return pytest.mark.parametrize("method", rows)


@declares("DUMMY")
def test_an_input_that_is_not_used_gets_zero(method: Method) -> None:
    values = method.attribute(zoo.model(additive(40)), zoo.images(3), 0).values
    assert not values[:, 0, 0].any()
    assert values[:, 0, 1:].all()


@declares("LINEAR")
def test_the_map_of_a_weighted_sum_of_networks_is_the_weighted_sum_of_their_maps(method: Method) -> None:
    f, g = additive(41), zoo.smooth_conv()
    g[-1].weight.data, g[-1].bias.data = g[-1].weight.data[:2], g[-1].bias.data[:2]
    images = zoo.images(3, dtype=torch.float64)
    of_f, of_g, of_sum = (
        method.attribute(zoo.model(net, dtype=torch.float64), images, 1).values for net in (f, g, zoo.Sum(f, g, 2.0, -0.5))
    )
    assert_close(of_sum, 2 * of_f - 0.5 * of_g, FLOAT64)


@declares("SYMMETRIC")
def test_interchangeable_inputs_of_equal_value_get_equal_values(method: Method) -> None:
    """Exactly where the method draws nothing; else in the mean over draws, within five standard errors."""
    model, images = zoo.model(additive(42)), zoo.images(2)
    images[:, 1, 6, 2] = images[:, 1, 4, 4]
    seeds = range(200) if method.stochastic else range(1)
    maps = torch.stack([method.attribute(model, images, 0, seed=seed).values for seed in seeds])
    difference = maps[:, :, 1, 6, 2] - maps[:, :, 1, 4, 4]
    assert maps[:, :, 1, 4, 4].abs().min() > 0
    if not method.stochastic:
        assert not difference.any()
        return
    assert (difference.mean(0).abs() < 5 * difference.std(0) / len(seeds) ** 0.5).all()


# --- settings --------------------------------------------------------------------------------------------------------------


@methods
def test_settings_survive_json(method: Method) -> None:
    again = Method.from_dict(json.loads(json.dumps(method.to_dict())))
    assert again == method
    assert again.digest == method.digest
    assert again.to_dict() == method.to_dict()
    assert str(again) == str(method)


@pytest.mark.parametrize(("path", "before", "after"), every_change(METHODS))
def test_a_changed_field_changes_digest_and_map_unless_it_is_inert(path: str, before: Method, after: Method) -> None:
    assert before.digest != after.digest
    one, other = usual(before, "smooth"), after.attribute(zoo.known("smooth"), zoo.images(3), 0)
    if path in before.inert:
        assert torch.equal(one.values, other.values)
    elif not told_apart(one, other):
        assert_different(one.values, other.values)


def told_apart(one: Attribution, other: Attribution) -> bool:
    """Whether a method that tells how it came to its map tells of another way; the map at the end may be the same."""
    pairs = ((one.details[name].nan_to_num(), other.details[name].nan_to_num()) for name in one.details)
    return any(a.shape != b.shape or not torch.equal(a, b) for a, b in pairs)


@methods
def test_settings_are_frozen(method: Method) -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(method, next(iter(type(method).model_fields), "samples"), 3)


# --- cost ------------------------------------------------------------------------------------------------------------------


def within(passes: PassCount, cost: PassCount, method: Method) -> bool:
    """As many rows as the method says it costs, or fewer if it stops at a tolerance."""
    if not stops_early(method):
        return passes == cost
    return all(
        0 < spent <= cap or spent == cap == 0 for spent, cap in ((passes.forward, cost.forward), (passes.backward, cost.backward))
    )


@methods
@pytest.mark.parametrize("side", [zoo.SIDE, 2 * zoo.SIDE])
def test_cost_is_the_number_of_rows_that_passed_or_the_cap(method: Method, side: int) -> None:
    images, method = zoo.images(3, side=side), for_images_of(side, method)
    counting = zoo.Counting(zoo.residual())
    model = zoo.model(counting, chunk=4)
    for place in (CHEAP_CURVE.side, *PIECES * isinstance(method, Occlusion | FeatureAblation)):
        incremental(model, images, (place, place))  # once for a network, whatever is asked of it
    spatial_layers(model, images)  # likewise
    if {part.name for part in method.nested() if isinstance(part, Method)} & {"ablation_cam", "competition"}:
        method.attribute(model, images, 0)  # likewise, where its passes may begin
    zoo.checked(model, images)  # likewise
    found = method.attribute(model, images, 0)
    cost = method.cost(tuple(images.shape[1:]))
    assert found.passes == PassCount(counting.forward_rows, counting.backward_rows)
    assert within(found.passes, PassCount(3 * cost.forward, 3 * cost.backward), method)


@methods
def test_known_clean_outputs_save_the_rows_that_the_cost_calls_clean_and_change_no_map(method: Method) -> None:
    model, images = zoo.known().with_(chunk=4), zoo.images(3)
    alone = method.attribute(model, images, 0)
    with known_outputs(model, images, raw_outputs(model, images)):
        shared = method.attribute(model, images, 0)
    saved = 3 * method.cost(SHAPE).clean
    assert shared.passes == PassCount(alone.passes.forward - saved, alone.passes.backward)
    assert shared.values.equal(alone.values)
    assert shared.expected_sum.nan_to_num().equal(alone.expected_sum.nan_to_num())


@methods
def test_finding_the_target_costs_one_forward_row_more(method: Method) -> None:
    model, images = zoo.known().with_(chunk=4), zoo.images(3)
    found = method.attribute(model, images)
    given = method.attribute(model, images, found.target)
    assert found.passes == PassCount(given.passes.forward + 3, given.passes.backward)


@methods
def test_no_more_than_a_chunk_of_rows_passes_at_once(method: Method) -> None:
    sizes: list[int] = []
    module = zoo.residual()
    module.stem.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    method.attribute(zoo.model(module, chunk=5), zoo.images(4))
    assert max(sizes, default=0) <= 5


# --- what is wrong is said -------------------------------------------------------------------------------------------------


@methods
def test_a_map_that_is_zero_everywhere_is_noted(method: Method) -> None:
    """The last output does not depend on the input."""
    found = method.attribute(zoo.model(zoo.Deaf(zoo.layered(zoo.Quadratic((3, 8, 8), classes=3)))), zoo.images(3), [0, 1, 2])
    zero = [not values.any() for values in found.values]
    assert [note.startswith("the map is zero everywhere") for note in found.notes] == zero
    explains = not method.control and method.class_discriminative and type(method) not in MAPS_OF_A_CONSTANT_OUTPUT
    assert zero == [False, False, explains]


class Overflowing(nn.Module):
    """The gradient is infinite for images that are zero in the corner."""

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) * (x[:, :1, 0, 0] != 5).float() * 2).sum(1, keepdim=True) + (5 - x[:, :1, 0, 0]).abs().sqrt()


def test_a_map_with_nan_is_noted_and_its_batch_mates_are_not_touched() -> None:
    images = zoo.images(3)
    images[1, 0, 0, 0] = 5
    method = Method.from_dict("gradient")
    found = method.attribute(zoo.model(Overflowing()), images)
    assert not found.values[1].isfinite().all()
    assert "NaN or infinity" in found.notes[1]
    assert found.values[[0, 2]].isfinite().all()
    assert found.notes[0] == found.notes[2] == ""


def wrong_inputs() -> dict[str, tuple[Callable[[Tensor], Tensor], Any, list[str]]]:
    def with_value(value: float) -> Callable[[Tensor], Tensor]:
        return lambda images: images.index_fill(0, torch.tensor([1]), value)

    return {
        "NaN": (with_value(torch.nan), 0, ["finite", "NaN or infinity in sample 1"]),
        "infinity": (with_value(torch.inf), 0, ["finite", "NaN or infinity in sample 1"]),
        "channels": (lambda images: images[:, :2], 0, ["[batch, 3", "got [3, 2, 8, 8]"]),
        "no batch axis": (lambda images: images[0, :2], 0, ["[batch, 3", "got [2, 8, 8]", "images[None]"]),
        "type": (lambda images: images.double(), 0, ["torch.float32", "got torch.float64"]),
        "empty batch": (lambda images: images[:0], 0, ["at least one image", "got [0, 3, 8, 8]"]),
        "no pixels": (lambda images: images[:, :, :0], 0, ["one pixel", "got [3, 3, 0, 8]"]),
        "target negative": (lambda images: images, -1, ["from 0", "got [-1, -1, -1]"]),
        "target too short": (lambda images: images, [0, 1], ["3 integers", "shape [2]"]),
        "target of fractions": (lambda images: images, torch.tensor([0.0, 1.0, 2.0]), ["3 integers", "torch.float32"]),
        "target of truth values": (lambda images: images, True, ["integer", "torch.bool"]),
        "target nested": (lambda images: images, torch.zeros(3, 1, dtype=torch.long), ["3 integers", "[3, 1]"]),
    }


@methods
def test_wrong_inputs_are_refused_with_what_was_expected_and_what_came(method: Method) -> None:
    model = zoo.known()
    for wrong, (change, target, words) in wrong_inputs().items():
        with pytest.raises(TensorError) as refusal:
            method.attribute(model, change(zoo.images(3)), target)
        assert [word for word in ["expected", "got", *words] if word not in str(refusal.value)] == [], wrong


@running
def test_a_class_that_the_network_does_not_have_is_refused(method: Method) -> None:
    with pytest.raises(TensorError, match=r"expected classes from 0 to 3.*got class 4"):
        method.attribute(zoo.known(), zoo.images(2), 4)


@differentiating
def test_a_network_that_cuts_the_graph_is_refused(method: Method) -> None:
    with pytest.raises(ModelError, match=r"expected an output that is differentiable.*got one cut from the graph"):
        method.attribute(zoo.model(zoo.Detached(zoo.residual())), zoo.images(2), 0)


@methods_where(lambda method: method.cost(SHAPE).backward == 0)
def test_a_network_that_cuts_the_graph_makes_no_difference_to_a_method_without_gradients(method: Method) -> None:
    network = zoo.layered(zoo.residual())
    expected = method.attribute(zoo.model(network), zoo.images(2), 0).values
    cut = method.attribute(zoo.model(zoo.Detached(network)), zoo.images(2), 0).values
    assert_close(cut, expected, FLOAT32)
