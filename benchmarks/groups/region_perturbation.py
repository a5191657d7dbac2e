"""The curve of replaced regions against quantus: as many regions of one size, one candidate each, filled with black."""

from collections.abc import Iterator
from functools import partial
from importlib.metadata import version

from quantus import RegionPerturbation

from benchmarks.harness import Row, Size, Work, in_turn
from benchmarks.subjects import PLANS, by_quantus, subject
from heatproof.methods import EdgeMap
from heatproof.metrics import PerturbationCurve, Scores
from heatproof.models import Model
from heatproof.perturb.fills import Black

NETWORKS = ("resnet18", "resnet50")


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row for each plan."""
    at = subject(network)
    side = at.side // 14
    maps = EdgeMap().attribute(at.model, at.images, at.target).values

    def theirs(size: Size) -> object:
        metric = RegionPerturbation(
            patch_size=side, regions_evaluation=size.regions, normalise=False, disable_warnings=True, perturb_baseline="black"
        )
        return by_quantus(metric, at, maps[: size.images])

    def ours(size: Size, model: Model) -> Scores:
        n = size.images
        metric = PerturbationCurve(side=side, regions=size.regions, fill=Black())
        return metric.score(model, at.images[:n], at.target[:n], maps[:n])

    works: dict[str, Work] = {plan: partial(ours, model=at.plans[plan][0]) for plan in PLANS}
    timed = in_turn({"quantus": theirs, **works}, size, rounds)
    exact = timed.answers["plain"].values
    for plan in PLANS:
        gap = float(((timed.answers[plan].values - exact).abs() / exact.abs()).max())
        yield Row.of(
            "region_perturbation",
            plan,
            network,
            work=f"region perturbation, {size.regions} regions, {size.images} images",
            peer=f"quantus {version('quantus')}, batches of {size.images}",
            spread=timed.ratio("quantus", plan),
            note=f"{at.plans[plan][1].plan.label}; scores differ by {gap:.1e}; {size.images * (1 + size.regions)} passes",
        )
