"""How time and peak memory of SmoothGrad grow with images, samples and the side of an image, each doubled by itself."""

from collections.abc import Callable, Iterator
from functools import partial

import torch.nn.functional as F

from benchmarks.harness import Row, Size, Spread, in_turn, peak_growth
from benchmarks.subjects import subject
from heatproof.methods import SmoothGrad

NETWORKS = ("resnet18",)
MOST = 12
"""Samples an image before they are doubled: with four images, three full chunks."""
DOUBLED = {"once": (1, 1, 1), "images": (2, 1, 1), "samples": (1, 2, 1), "side": (1, 1, 2)}
"""Factors of images, samples and side."""


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row of time for each, and of memory for images and samples."""
    samples = min(size.probes, MOST)

    def work(size: Size, factors: tuple[int, int, int]) -> None:
        explain(network, size.images, min(size.probes, MOST), *factors)()

    timed = in_turn({name: partial(work, factors=factors) for name, factors in DOUBLED.items()}, size, rounds)
    row = partial(Row.of, "growth", network=network, peer="itself, once")
    for name in ("images", "samples", "side"):
        text = f"SmoothGrad, {size.images} images, {samples} samples: twice the {name}"
        yield row(f"{name}, time", work=f"{text}, time", spread=timed.ratio(name, "once"), note="plain")
    once = peak_growth(explain, network, size.images, samples, *DOUBLED["once"])
    for name in ("images", "samples"):
        text = f"SmoothGrad, {size.images} images, {samples} samples: twice the {name}"
        twice = peak_growth(explain, network, size.images, samples, *DOUBLED[name])
        note = f"plain; {twice:.0f} against {once:.0f} MiB"
        yield row(f"{name}, peak memory", work=f"{text}, peak memory", spread=Spread(*[twice / once] * 3), note=note)


def explain(network: str, images: int, samples: int, *factors: int) -> Callable[[], object]:
    """SmoothGrad of so many images, each quantity times its factor."""
    more_images, more_samples, more_side = factors
    at = subject(network)
    chosen = at.images[: images * more_images]
    if more_side > 1:
        chosen = F.interpolate(chosen, scale_factor=more_side, mode="bilinear")
    method = SmoothGrad(samples=samples * more_samples)
    return lambda: method.attribute(at.model, chosen, at.target[: len(chosen)])
