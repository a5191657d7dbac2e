"""Occlusion against captum: one window at a time, as by default, and as many at a time as are fastest there.

On slow networks windows lie side by side, so that there are fewer of them. A window costs the same there; what is computed once for
an image weighs more.
"""

from collections.abc import Iterator
from functools import partial
from importlib.metadata import version

import torch
from captum.attr import Occlusion as CaptumOcclusion
from torch import Tensor

from benchmarks.harness import SHORT, Row, Size, Work, fastest, in_turn
from benchmarks.subjects import subject
from heatproof.methods import Attribution, Occlusion
from heatproof.perturb.masks.windows import Windows

NETWORKS = ("squeezenet1_1", "vgg16")
AT_ONCE = (32, 16, 8, 4)
"""How many windows at a time captum is tried with."""
SIDE_BY_SIDE = ("vgg16",)
"""Networks whose passes are slow."""


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row for captum's default, and one for its best."""
    at = subject(network)
    image, target, model = at.images[:1], at.target[:1], at.model.with_(chunk=None)
    channels, n = image.shape[1], at.side
    black, peer = at.model.bounds.like(image)[0].expand_as(image), CaptumOcclusion(at.model.module)

    def window_and_stride(size: Size) -> tuple[int, int]:
        """15 and 8 of 224 pixels; a quarter of the image in a short run."""
        if size == SHORT:
            return n // 4, n // 4
        window = 15 * n // 224
        return window, window if network in SIDE_BY_SIDE else 8 * n // 224

    def theirs(size: Size, at_once: int) -> Tensor:
        window, stride = window_and_stride(size)
        shapes, strides = (channels, window, window), (channels, stride, stride)
        with torch.no_grad():
            maps: Tensor = peer.attribute(image, shapes, strides, baselines=black, target=target, perturbations_per_eval=at_once)
        return maps

    def ours(size: Size) -> Attribution:
        window, stride = window_and_stride(size)
        return Occlusion(window=window, stride=stride).attribute(model, image, target)

    tried = {at_once: partial(theirs, at_once=at_once) for at_once in AT_ONCE}
    best = fastest(tried, SHORT)
    works: dict[str, Work] = {"ours": ours, "captum's best": tried[best]}
    if network not in SIDE_BY_SIDE:
        works["captum's default"] = partial(theirs, at_once=1)
    timed = in_turn(works, size, rounds)
    window, stride = window_and_stride(size)
    windows = Windows.over((n, n), window, stride)
    drops = timed.answers["captum's best"].sum(1), timed.answers["ours"].map()[:, 0] * window**2 * channels
    inside = slice(0, n - window)  # where no window is cut off, and all have one size
    agreement = float(torch.corrcoef(torch.stack([each[0, inside, inside].flatten() for each in drops]))[0, 1])
    passes = timed.answers["ours"].passes
    for case in [case for case in works if case != "ours"]:
        median, low, high = timed.processor_ratio(case, "ours")
        at_once = best if case == "captum's best" else 1
        yield Row.of(
            "occlusion",
            case,
            network,
            work=f"occlusion, {windows.count} windows, 1 image",
            peer=f"captum {version('captum')}, {at_once} at a time",
            spread=timed.ratio(case, "ours"),
            note=f"{median:.2f} ({low:.2f} to {high:.2f}) of processor time; {passes.equivalent:.0f} full-forward equivalents for "
            f"{passes.forward} passes; maps correlate to {agreement:.5f}",
        )
