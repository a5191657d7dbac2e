"""Pixel flipping against quantus, with as many pixels a step.

quantus flips every channel of a pixel by itself, and its steps must divide the number of pixels: with the pixels of one of our
steps it takes three times as many, so the note gives the ratio per row too.
"""

from collections.abc import Iterator
from functools import partial
from importlib.metadata import version

from quantus import PixelFlipping as QuantusPixelFlipping

from benchmarks.harness import Row, Size, Work, in_turn
from benchmarks.subjects import PLANS, by_quantus, subject
from heatproof.methods import EdgeMap
from heatproof.metrics import PixelFlipping, Scores
from heatproof.models import Model
from heatproof.perturb.fills import Black

NETWORKS = ("resnet18", "resnet50")


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row for each plan."""
    at = subject(network)
    maps = EdgeMap().attribute(at.model, at.images, at.target).values

    def theirs(size: Size) -> object:
        metric = QuantusPixelFlipping(
            features_in_step=at.side**2 // size.steps, normalise=False, disable_warnings=True, perturb_baseline="black"
        )
        return by_quantus(metric, at, maps[: size.images])

    def ours(size: Size, model: Model) -> Scores:
        n = size.images
        return PixelFlipping(steps=size.steps, fill=Black()).score(model, at.images[:n], at.target[:n], maps[:n])

    works: dict[str, Work] = {plan: partial(ours, model=at.plans[plan][0]) for plan in PLANS}
    timed = in_turn({"quantus": theirs, **works}, size, rounds)
    exact, our_rows, their_rows = timed.answers["plain"].values, 1 + size.steps, len(timed.answers["quantus"][0])
    for plan in PLANS:
        found = timed.ratio("quantus", plan)
        gap = float(((timed.answers[plan].values - exact).abs() / exact.abs()).max())
        rows_note = f"{our_rows} against {their_rows} passes an image, per pass {found.median * our_rows / their_rows:.2f}"
        yield Row.of(
            "pixel_flipping",
            plan,
            network,
            work=f"pixel flipping, {size.steps} steps, {size.images} images",
            peer=f"quantus {version('quantus')}, batches of {size.images}",
            spread=found,
            note=f"{at.plans[plan][1].plan.label}; scores differ by {gap:.1e}; {rows_note}",
        )
