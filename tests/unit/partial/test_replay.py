"""A recorded pass and its replays, without the engine around them."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.partial.cache_update import CollectedRegions, update_by_replay
from heatproof.partial.gather import CandidateGroup
from heatproof.partial.plan import RegionLayout, ReplayMismatch
from heatproof.partial.record import Recorded, record
from heatproof.partial.replay import Replay
from tests.support import zoo

SIDE, SIZE = 20, (3, 4)
LAYOUT = RegionLayout(SIZE, (SIDE, SIDE), largest_share=0.9)


class Network(nn.Module):
    """Two convolutions with a ReLU in place between, means, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 3, 3, stride=2), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.second(F.relu(self.first(x), inplace=True)).mean((2, 3)))


GROUPS = [CandidateGroup(slice(0, 2), 0, (0, 0)), CandidateGroup(slice(2, 3), 0, (9, 11)), CandidateGroup(slice(3, 4), 1, (17, 2))]
"""Four candidates: two of the first image at one corner, one of it at another, and one of the second image."""


@pytest.fixture(name="network")
def _network() -> nn.Module:
    return zoo.filled(Network(), 1).double().eval()


def images() -> Tensor:
    return zoo.normal(2, 2, SIDE, SIDE, seed=1, dtype=torch.float64)


def rectangles() -> Tensor:
    return zoo.normal(4, 2, *SIZE, seed=2, dtype=torch.float64)


def candidates() -> Tensor:
    rows = images()[[0, 0, 0, 1]]
    for group in GROUPS:
        i, j = group.corner
        rows[group.rows, :, i : i + SIZE[0], j : j + SIZE[1]] = rectangles()[group.rows]
    return rows


def recorded(network: nn.Module, batch: Tensor) -> Recorded:
    with torch.inference_mode():
        return record(network, network, batch, LAYOUT)


def test_candidates_of_several_places_and_images_share_a_pass(network: nn.Module) -> None:
    plan, cached = recorded(network, images())
    with torch.inference_mode():
        outputs = Replay(plan, cached, GROUPS).outputs(network, network, rectangles())
        torch.testing.assert_close(outputs, network(candidates()), rtol=1e-12, atol=1e-12)


def test_the_recording_lists_the_steps_and_caches_what_is_read_around_regions(network: nn.Module) -> None:
    plan, cached = recorded(network, images())
    assert [step.func for step in plan.steps] == [torch.conv2d, F.relu, torch.conv2d, Tensor.mean]
    assert [step.numbers for step in plan.steps] == [(0,), (1,), (2,), (3,)]
    assert [step.share is None for step in plan.steps] == [False, False, False, True]
    assert plan.steps[0].share == (3 + 2) * (4 + 2) / SIDE**2
    assert sorted(cached) == [0, 2, 3]  # the values of the first convolution are not read after they are rectified
    assert torch.equal(torch.stack(cached[0]), images())
    assert [(use.made_at, use.last_used_at) for use in plan.uses] == [(-1, 0), (0, 1), (1, 2), (2, 3)]


def test_the_recorded_pass_gives_the_outputs_of_the_network(network: nn.Module) -> None:
    clean, outputs = images(), []
    with torch.inference_mode():
        record(network, lambda x: outputs.append(network(x)), clean, LAYOUT)
        assert torch.equal(outputs[0], network(images()))
    assert torch.equal(clean, images())


@pytest.mark.parametrize("collected", [True, False], ids=["collected regions", "another replay"])
def test_a_candidate_written_into_the_cache_becomes_the_image(network: nn.Module, collected: bool) -> None:
    plan, cached = recorded(network, images())
    chosen = [2, 3]  # of the first and of the second image
    with torch.inference_mode():
        if collected:
            regions = CollectedRegions(cached, GROUPS)
            Replay(plan, cached, GROUPS, regions.add).outputs(network, network, rectangles())
            for row in chosen:
                regions.write(row)
        else:
            groups = [CandidateGroup(slice(row, row + 1), row, GROUPS[1 + row].corner) for row in range(2)]
            update_by_replay(network, network, plan, cached, groups, rectangles()[chosen])
    anew = recorded(network, candidates()[chosen]).cached
    assert cached.keys() == anew.keys()
    for number, tensors in anew.items():
        torch.testing.assert_close(torch.stack(cached[number]), torch.stack(tensors), rtol=1e-12, atol=1e-12)


def test_other_or_fewer_operations_are_a_mismatch(network: nn.Module) -> None:
    plan, cached = recorded(network, images())
    others = {
        "expected the operations that ran on the clean images, got torch.Tensor.abs": lambda x: network(x.abs()),
        "expected 4 operations, as on the clean images, got 0": lambda x: torch.zeros(4, 2),
        "got torch.Tensor.mean": lambda x: network.get_submodule("first")(x).mean((2, 3)),
    }
    for message, forward in others.items():
        with torch.inference_mode(), pytest.raises(ReplayMismatch, match=message):
            Replay(plan, cached, GROUPS).outputs(network, forward, rectangles())


def test_all_steps_from_one_on_can_run_in_full(network: nn.Module) -> None:
    with torch.inference_mode():
        plan, cached = record(network, network, images(), RegionLayout(SIZE, (SIDE, SIDE), 0.9, full_from=2))
        assert [step.share is None for step in plan.steps] == [False, False, True]  # what follows has no region
        assert sorted(cached) == [0, 2]
        outputs = Replay(plan, cached, GROUPS).outputs(network, network, rectangles())
        torch.testing.assert_close(outputs, network(candidates()), rtol=1e-12, atol=1e-12)
    assert plan.cached_bytes(2) == sum(plan.uses[number].full_bytes for number in cached)
