"""Rows with one changed region, computed where it can reach, against whole rows of the same plan; and against quantus.

A step of the perturbation curve scores 50 candidates for one region of 15 × 15 pixels of one image, and carries one of them on;
here the first four of the edge map's curve. Both ways are as they come, with chunks as large as fit. quantus has one candidate a
step, so its whole curve is timed once and counted as often as there are candidates; so is the curve of whole rows, whose steps are
all alike, from a few steps.
"""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version

import torch
from quantus import RegionPerturbation
from torch import Tensor

from benchmarks.harness import SHORT, Row, Size, Spread, Timed, Work, in_turn, peak_growth
from benchmarks.subjects import Subject, by_quantus, subject
from heatproof.methods import EdgeMap
from heatproof.metrics import PerturbationCurve
from heatproof.models import Model
from heatproof.passes.acceleration import Precision
from heatproof.passes.incremental import incremental
from heatproof.passes.patched_images import PatchedImages
from heatproof.perturb.draws import Draws
from heatproof.perturb.masks.regions import rank_regions

NETWORKS = ("squeezenet1_1", "efficientnet_lite0", "densenet121", "resnet50", "vgg16")
CURVES = ("vgg16", "tiny")
"""Networks whose whole curve is timed as well."""
PLACES, STEPS = 4, 3
"""Steps that are timed, and steps of full forward passes that stand for a curve."""
MEBIBYTE = 2**20


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A step by each plan, and the memory of both ways; on VGG-16 the whole curve."""
    at = subject(network)
    works: dict[str, Work] = {}
    for precision in _precisions(size):
        model = at.plans[precision][0].with_(chunk=None)
        works |= {
            f"{precision}, in part": _step(at, model, size),
            f"{precision}, whole": _step(at, model.with_(incremental=False), size),
        }
    timed = in_turn(works, size, rounds)
    for precision in _precisions(size):
        yield _step_row(at, network, precision, timed, size)
    if network in CURVES:
        yield from _curves(at, network, size, rounds)


def _precisions(size: Size) -> tuple[Precision, ...]:
    return ("exact",) if size == SHORT else ("exact", "fast")


def _step(at: Subject, model: Model, size: Size) -> Work:
    """Steps at several places; the first candidate is carried on, which is the same in every round."""
    side, image = _side(at), at.images[:1]
    way = PatchedImages(model, image, (side, side), candidates=size.candidates, times=30)
    maps = EdgeMap().attribute(at.model, image, at.target[:1]).values
    draws = Draws.for_images(0, image)
    corners = rank_regions(
        maps.sum(1, keepdim=True).abs(), draws, side=side, count=PLACES, most_relevant_first=True, skip_last=False
    )
    lower, upper = model.bounds.like(image)
    draw = torch.Generator().manual_seed(0)
    colours = lower + (upper - lower) * torch.rand(1, size.candidates, image.shape[1], side, side, generator=draw)

    def step(size: Size) -> Tensor:
        found = []
        for corner in corners.unbind(1):
            found.append(way.outputs(corner, colours[:, : size.candidates]))
            way.keep(torch.tensor([0]))
        return torch.stack(found)

    return step


def _step_row(at: Subject, network: str, precision: Precision, timed: Timed, size: Size) -> Row:
    part, whole = timed.answers[f"{precision}, in part"], timed.answers[f"{precision}, whole"]
    gap = float((part - whole).abs().max() / whole.abs().max())
    model, measured = at.plans[precision]
    plan = incremental(model.with_(chunk=None), at.images, (_side(at), _side(at)))
    peaks = (
        {way: peak_growth(_peak, network, precision, way, size.candidates) for way in ("part", "whole")} if size != SHORT else {}
    )
    memory = f"; peak {peaks['part']:.0f} against {peaks['whole']:.0f} MiB" if peaks else ""
    return Row.of(
        "incremental",
        f"{precision}, step",
        network,
        work=f"AUPC, steps of {size.candidates} candidates, {_side(at)} × {_side(at)} pixels",
        peer="full forward passes, same plan",
        spread=timed.ratio(f"{precision}, whole", f"{precision}, in part"),
        note=f"{measured.plan.label}; at most {plan.share:.2f} of the operations; outputs differ by {gap:.1e} relative; "
        f"{plan.cached_bytes / MEBIBYTE:.0f} MiB kept of an image{memory}",
    )


def _peak(network: str, precision: Precision, way: str, candidates: int) -> Callable[[], object]:
    """A step, what is kept for it included."""
    at = subject(network)
    model = at.plans[precision][0].with_(chunk=None, incremental=way == "part")
    size = Size(candidates=candidates)
    incremental(model, at.images, (_side(at), _side(at)))
    return lambda: _step(at, model, size)(size)


def _curves(at: Subject, network: str, size: Size, rounds: int) -> Iterator[Row]:
    side, maps = at.side // 14, EdgeMap().attribute(at.model, at.images[:1], at.target[:1]).values

    def curve(size: Size, model: Model) -> object:
        metric = PerturbationCurve(side=side, regions=size.regions, draws=size.candidates)
        return metric.score(model, at.images[:1], at.target[:1], maps)

    def few_steps(size: Size, model: Model) -> object:
        return curve(Size(regions=min(STEPS, size.regions), candidates=size.candidates), model)

    def theirs(size: Size) -> object:
        metric = RegionPerturbation(
            patch_size=side, regions_evaluation=size.regions, normalise=False, disable_warnings=True, perturb_baseline="uniform"
        )
        return by_quantus(metric, at, maps)

    models = {precision: at.plans[precision][0].with_(chunk=None) for precision in _precisions(size)}
    works: dict[str, Work] = {precision: partial(curve, model=model) for precision, model in models.items()}
    works |= {
        "whole": partial(few_steps, model=models["exact"].with_(incremental=False)),
        "quantus": theirs,
    }
    timed = in_turn(works, size, rounds)
    steps = min(STEPS, size.regions)
    times = (1 + size.regions * size.candidates) / (1 + steps * size.candidates)
    row = partial(Row.of, "incremental", network=network, work=f"AUPC, {size.regions} regions, {size.candidates} draws")
    yield row(
        case="exact, curve",
        peer="full forward passes, same plan",
        spread=timed.ratio("whole", "exact", times),
        note=f"{at.plans['exact'][1].plan.label}; full forward passes timed for {steps} regions",
    )
    for precision in models:
        found: Spread = timed.ratio("quantus", precision, size.candidates)
        yield row(
            case=f"{precision}, quantus",
            peer=f"quantus {version('quantus')}, once for each draw",
            spread=found,
            note=f"{at.plans[precision][1].plan.label}; its curve of one draw was timed",
        )


def _side(at: Subject) -> int:
    return min(15, at.side // 4)
