"""From which share of a result on it is better computed as a whole, and what a step costs.

    python -m benchmarks.break_even [NETWORK …]

Per network and limit: seconds of 50 whole rows over seconds of 50 rows computed in part up to that limit, at four random places,
best of three each, by the exact plan. Then the time that a step takes beyond the operations it does, on a network whose operations
take next to none.
"""

import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.subjects import subject
from heatproof.models import Bounds, Model
from heatproof.passes import incremental
from heatproof.passes.memory import keep_freed_memory
from heatproof.passes.patched_images import PatchedImages

NETWORKS = ("squeezenet1_1", "efficientnet_lite0", "densenet121", "resnet50", "vgg16")
LIMITS = (0.1, 0.3, 0.5, 0.7, 0.85, 0.99)
SIDE, CANDIDATES, PLACES, DEPTH = 15, 50, 4, 40


def main(networks: list[str]) -> None:
    """Print a table, and the time of a step."""
    keep_freed_memory()
    sys.stdout.write(f"| network | {' | '.join(f'{limit:g}' for limit in LIMITS)} |\n| --- |{' --- |' * len(LIMITS)}\n")
    for network in networks or NETWORKS:
        at = subject(network)
        sys.stdout.write(f"| {network} | {' | '.join(_gains(at.plans['exact'][0].with_(chunk=None), at.images[:1]))} |\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{1e6 * _step():.0f} µs a step\n")


def _gains(model: Model, image: Tensor) -> list[str]:
    whole = _seconds(_rows(model.with_(incremental=False), image, CANDIDATES))
    usual, found = incremental.LARGEST_SHARE, []
    for limit in LIMITS:
        incremental.LARGEST_SHARE = limit
        incremental.forget_plans(model)
        found.append(f"{whole / _seconds(_rows(model, image, CANDIDATES)):.2f}")
    incremental.LARGEST_SHARE = usual
    return found


def _step() -> float:
    """Seconds beyond those of the whole network, which are hardly any."""
    module = nn.Sequential(*(nn.Conv2d(1, 1, 3) for _ in range(DEPTH)), nn.Flatten(), nn.LazyLinear(2))
    image = torch.zeros(1, 1, 3 * DEPTH, 3 * DEPTH)
    module(image)
    model = Model(module.eval(), Bounds.of(0, 1, 1))
    plain = _seconds(_rows(model.with_(incremental=False), image, 1))
    return (_seconds(_rows(model, image, 1)) - plain) / DEPTH / PLACES


def _rows(model: Model, image: Tensor, candidates: int) -> Callable[[], object]:
    channels, height, width = image.shape[1:]
    way = PatchedImages(model, image, (SIDE, SIDE), candidates=10**6, times=10**6)
    draw = torch.Generator().manual_seed(0)
    rooms = (height - SIDE + 1, width - SIDE + 1)
    corners = [torch.stack([torch.randint(0, room, (1,), generator=draw) for room in rooms], 1) for _ in range(PLACES)]
    colours = torch.rand(1, candidates, channels, SIDE, SIDE, generator=draw)
    return lambda: [way.outputs(corner, colours) for corner in corners]


def _seconds(work: Callable[[], object]) -> float:
    work()
    found = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


if __name__ == "__main__":
    main(sys.argv[1:])
