"""Other weights in a copy: which, in what order, drawn how; and the caller's network as it was."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from heatproof.core.errors import ModelError
from heatproof.edits.randomise import blocks, randomised, unchanged
from heatproof.models.model import Model
from heatproof.numerics.bounds import Bounds
from tests.support import zoo
from tests.support.state import disturb_chance, state_of, state_of_chance


class Backwards(nn.Module):
    """Layers are registered from last to first; the second runs twice, and one never."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(2, 2)
        self.last = nn.Linear(6, 3)
        self.norm = nn.BatchNorm1d(6)
        self.norm.running_mean += 1
        self.norm.running_var += 1
        self.middle = nn.Linear(6, 6)
        self.first = nn.Linear(3 * 64, 6)
        self.scale = nn.Parameter(torch.ones(3) * 2)
        self.register_buffer("table", torch.arange(3.0))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x.flatten(1)))
        x = self.norm(self.middle(torch.relu(self.middle(x))))
        return self.last(x) * self.scale + self.table


class Attending(nn.Module):
    """The projection inside the attention is never called as a module."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x.mean(1))
        x = self.norm(self.attention(x, x, x, need_weights=False)[0])
        return self.head(x.mean(1))


IMAGES = zoo.images(2)


def model(module: nn.Module) -> zoo.Model:
    return zoo.model(zoo.filled(module, 3))


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(before: nn.Module, after: nn.Module) -> set[str]:
    a, b = weights(before), weights(after)
    return {name for name in a if not torch.equal(a[name], b[name])}


def test_blocks_stand_in_the_order_of_execution_and_hold_every_weight() -> None:
    found = blocks(model(Backwards()), IMAGES)
    assert [block.name for block in found] == ["", "first", "middle", "norm", "last"]
    assert found[0].modules == ("", "spare"), "what never runs goes with what is around it"
    assert found[0].constants == (".table",)
    attending = blocks(model(Attending()), IMAGES)
    assert [block.modules for block in attending] == [("embed",), ("attention", "attention.out_proj"), ("norm",), ("head",)]


def test_layers_are_joined_by_name_until_there_are_few_enough() -> None:
    nested = model(nn.Sequential(nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(4))), nn.Flatten(), nn.Linear(192, 3)))
    assert [block.name for block in blocks(nested, IMAGES)] == ["0.0", "0.1", "0.2", "0.3", "2"]
    assert [block.modules for block in blocks(nested, IMAGES, most=4)] == [("0.0", "0.1", "0.2", "0.3"), ("2",)]


def test_blocks_of_one_prefix_that_others_run_between_have_names_of_their_own() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.ModuleList([nn.Linear(192, 192), nn.Linear(192, 192), nn.Linear(192, 192)])
            self.b = nn.Linear(192, 192)

        def forward(self, x: Tensor) -> Tensor:
            return self.a[2](self.b(self.a[1](self.a[0](x.flatten(1)))))

    assert [block.name for block in blocks(model(Twice()), IMAGES, most=3)] == ["a", "b", "a (2)"]


@pytest.mark.parametrize("how", ["own", "truncated_normal", "permutation"])
def test_every_parameter_and_statistic_of_the_chosen_blocks_is_new_and_no_other(how: str) -> None:
    network = model(Backwards())
    found = blocks(network, IMAGES)
    every = {name for name, _ in network.module.named_parameters()} | {"norm.running_mean", "norm.running_var"}
    everything = randomised(network, found, how, seed=1)
    assert changed(network.module, everything.module) == every
    top = randomised(network, found[-1:], how, seed=1)
    assert changed(network.module, top.module) == {"last.weight", "last.bias"}


def test_attention_and_layer_norm_are_randomised_whole() -> None:
    network = model(Attending())
    other = randomised(network, blocks(network, IMAGES), "own", seed=1)
    assert changed(network.module, other.module) == {name for name, _ in network.module.named_parameters()}


def test_new_weights_come_from_seed_and_name_alone() -> None:
    network = model(nn.Sequential(nn.Flatten(), nn.Linear(192, 192), nn.ReLU(), nn.Linear(192, 192), nn.Linear(192, 3)))
    found = blocks(network, IMAGES)
    disturb_chance(1)
    before = state_of_chance()
    at_once = randomised(network, found, seed=4)
    assert state_of_chance() == before
    one_by_one = network
    for block in found[::-1]:
        one_by_one = randomised(one_by_one, [block], seed=4)
    assert changed(at_once.module, one_by_one.module) == set()
    assert not torch.equal(at_once.module[1].weight, at_once.module[3].weight), "one shape, two sets of weights"
    assert changed(at_once.module, randomised(network, found, seed=5).module) == {n for n, _ in network.module.named_parameters()}


def test_permutation_keeps_the_values_and_truncated_normal_numbers_their_size() -> None:
    network = model(nn.Sequential(nn.Flatten(), nn.Linear(192, 400)))
    before = network.module[1].weight
    shuffled = randomised(network, blocks(network, IMAGES), "permutation").module[1].weight
    assert torch.equal(shuffled.flatten().sort().values, before.flatten().sort().values)
    drawn = randomised(network, blocks(network, IMAGES), "truncated_normal").module[1].weight
    assert drawn.mean().item() == pytest.approx(before.mean().item(), abs=0.01 * before.std().item() + 1e-3)
    assert drawn.std().item() == pytest.approx(0.88 * before.std().item(), rel=0.01), "two deviations hold .88 of the spread"
    assert (drawn - before.mean()).abs().max() <= 2.001 * before.std()


def test_statistics_are_reset_or_kept() -> None:
    network = model(Backwards())
    found = blocks(network, IMAGES)
    kept = randomised(network, found, "own", "keep").module.norm
    assert torch.equal(kept.running_mean, network.module.norm.running_mean)
    reset = randomised(network, found, "permutation", "reset").module.norm
    assert torch.equal(reset.running_mean, torch.zeros(6))
    assert torch.equal(reset.running_var, torch.ones(6))


def test_the_callers_network_is_untouched() -> None:
    network = model(Backwards())
    network.module.train()
    before = state_of(network.module)
    randomised(network, blocks(network, IMAGES), seed=1)
    assert state_of(network.module) == before


def test_a_network_without_weights_or_without_a_copy_is_refused() -> None:
    with pytest.raises(ModelError, match="expected a network with weights"):
        blocks(zoo.model(nn.Flatten()), IMAGES)

    class Uncopied(nn.Linear):
        def __deepcopy__(self, memo: object) -> "Uncopied":
            raise TypeError("cannot pickle a lock")

    network = zoo.model(nn.Sequential(nn.Flatten(), Uncopied(192, 3)))
    with pytest.raises(ModelError, match="deepcopy"):
        randomised(network, blocks(network, IMAGES))


class HalfReset(nn.Linear):
    """Its initialiser sets the weight and leaves the bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        nn.init.normal_(self.bias)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight)


class WantsArgument(nn.Linear):
    """Its initialiser cannot be called without an argument."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.reset_parameters = self.initialise  # type: ignore[assignment]

    def initialise(self, spread: float) -> None:
        nn.init.normal_(self.weight, std=spread)


REWRITTEN = {
    "weight norm": lambda: nn.utils.weight_norm(nn.Linear(192, 8)),
    "weight norm, parametrised": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(192, 8)),
    "spectral norm": lambda: nn.utils.spectral_norm(nn.Linear(192, 8)),
    "spectral norm, parametrised": lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(192, 8)),
    "orthogonal": lambda: nn.utils.parametrizations.orthogonal(nn.Linear(192, 8), "weight"),
    "pruned": lambda: prune.l1_unstructured(nn.Linear(192, 8), "weight", 0.2),
    "half reset": lambda: HalfReset(192, 8),
    "initialiser with an argument": lambda: WantsArgument(192, 8),
}
"""Layers whose own initialiser does not set every weight, or none."""


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning", "ignore:.*spectral_norm.*:FutureWarning")
@pytest.mark.parametrize("layer", REWRITTEN)
@pytest.mark.parametrize("how", ["own", "truncated_normal", "permutation"])
def test_no_weight_is_left_as_it_was_whatever_its_layer_made_of_it(layer: str, how: str) -> None:
    network = zoo.model(nn.Sequential(nn.Flatten(), REWRITTEN[layer](), nn.Tanh(), nn.Linear(8, 3)).eval())
    found = blocks(network, IMAGES)
    other = randomised(network, found, how, seed=1)
    assert unchanged(network, other, found) == ((), ())
    assert all(bool(p.isfinite().all()) for p in other.module.parameters())
    before, after = (each.outputs(IMAGES) for each in (network, other))
    assert (after - before).norm() > 0.1 * before.norm()


@pytest.mark.filterwarnings("ignore:.*spectral_norm.*:FutureWarning")
@pytest.mark.parametrize("norm", [nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm])
def test_the_new_weights_of_a_spectral_norm_have_a_norm_of_one(norm: Any) -> None:
    network = zoo.model(nn.Sequential(nn.Flatten(), norm(nn.Linear(192, 8)), nn.Tanh(), nn.Linear(8, 3)).eval())
    other = randomised(network, blocks(network, IMAGES), "own", seed=1)
    other.outputs(IMAGES)
    assert torch.linalg.matrix_norm(other.module[1].weight.detach(), 2).item() == pytest.approx(1, rel=0.02)


def test_weights_whose_new_values_are_the_old_ones_are_named() -> None:
    network = zoo.model(nn.Sequential(nn.Flatten(), nn.LayerNorm(192), nn.Linear(192, 3)))
    found = blocks(network, IMAGES)
    same = unchanged(network, randomised(network, found, "own", seed=1), found)
    assert same == (("1",), ("1.weight", "1.bias"))
    assert same.note == "the new weights of 1 are the old ones: the map has no reason to change with them"
    assert not unchanged(network, randomised(network, found[-1:], "own", seed=1), found[-1:]).note


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_a_scripted_network_is_refused_by_name():
    network = nn.Sequential(torch.jit.script(nn.Sequential(nn.Linear(2, 2))), nn.Linear(2, 2))
    model = Model(network, Bounds.of(0, 1, channels=2))
    with pytest.raises(ModelError, match="0: expected modules whose operations can be seen, got RecursiveScriptModule"):
        blocks(model, torch.zeros(1, 2))
