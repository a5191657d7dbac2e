"""Peak memory of integrated gradients, ours against captum's default, which holds all steps at once. Each in a process of its own.

What captum would need is foretold from two small runs, since memory grows with the rows held at once; where that is too much for
this machine, it is asked for half the images, or not run.
"""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path

from captum.attr import IntegratedGradients as CaptumIntegratedGradients

from benchmarks.harness import Row, Size, Spread, peak_growth
from benchmarks.subjects import subject
from heatproof.methods import IntegratedGradients
from heatproof.numerics.quadrature import GaussLegendre

NETWORKS = ("efficientnet_lite0", "squeezenet1_1", "densenet121", "vgg16", "resnet50")
MOST = 20 * 1024
"""MiB that captum may need."""


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """One row: ours over theirs. Nothing is timed, so rounds do not matter."""
    row = partial(Row.of, "memory", "peak", network, peer=f"captum {version('captum')}, all steps at once")
    limit = min(MOST, 0.9 * _available())
    needed = _foretell(network, size)
    images = next((n for n in (size.images, size.images // 2) if needed(n * size.probes) <= limit), 0)
    work = f"integrated gradients, {size.probes} nodes, {images or size.images} images, peak memory"
    if not images:
        note = f"captum would need about {needed(size.images // 2 * size.probes) / 1024:.0f} GiB for half the images: not run here"
        yield row(work=work, spread=None, note=note)
        return
    own, other = peak_growth(ours, network, images, size.probes), peak_growth(theirs, network, images, size.probes)
    note = f"{own:.0f} against {other:.0f} MiB"
    if images < size.images:  # ours does not grow with images, so this is what the goal was set for
        whole = needed(size.images * size.probes)
        note += f"; for {size.images} images captum would need about {whole:.0f} MiB, ours as much as here: {own / whole:.2f}"
    yield row(work=work, spread=Spread(*[own / other] * 3), note=note)


def ours(network: str, images: int, probes: int) -> Callable[[], object]:
    """Integrated gradients, as it comes: in chunks as large as fit."""
    at = subject(network)
    method = IntegratedGradients(quadrature=GaussLegendre(steps=probes))
    model = at.model.with_(chunk=None)
    return lambda: method.attribute(model, at.images[:images], at.target[:images])


def theirs(network: str, images: int, probes: int) -> Callable[[], object]:
    """The same by captum, as it comes."""
    at = subject(network)
    method = CaptumIntegratedGradients(at.model.module)
    return lambda: method.attribute(at.images[:images], at.black[:images], target=at.target[:images], n_steps=probes)


def _foretell(network: str, size: Size) -> Callable[[int], float]:
    """MiB that captum needs for so many rows, by the line through two small runs."""
    few, more = size.images * 2, size.images * 6
    low, high = (peak_growth(theirs, network, size.images, rows // size.images) for rows in (few, more))
    return lambda rows: high + (high - low) / (more - few) * (rows - more)


def _available() -> float:
    return int(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]) / 1024
