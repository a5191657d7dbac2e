"""Integrated gradients against captum at its best batch size: the same nodes, by the same rule, from the same baseline."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import version

import torch
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from torch import Tensor

from benchmarks.harness import FULL, Row, Size, Work, fastest, in_turn
from benchmarks.subjects import PLANS, subject
from heatproof.methods import Attribution, IntegratedGradients
from heatproof.models import Model
from heatproof.numerics.quadrature import GaussLegendre

NETWORKS = ("efficientnet_lite0", "squeezenet1_1", "resnet50", "densenet121", "vgg16")
BATCHES = (32, 16, 8, 4)
"""Rows that captum is offered to hold at once."""
TRIAL = replace(FULL, probes=8)


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row for each plan."""
    at = subject(network)
    captum = CaptumIntegratedGradients(at.model.module)

    def theirs(size: Size, batch: int) -> Tensor:
        images, target = at.images[: size.images], at.target[: size.images]
        baseline = at.black[: size.images]
        found: Tensor = captum.attribute(images, baseline, target=target, n_steps=size.probes, internal_batch_size=batch)
        return found

    def ours(size: Size, model: Model) -> Attribution:
        method = IntegratedGradients(quadrature=GaussLegendre(steps=size.probes))
        return method.attribute(model, at.images[: size.images], at.target[: size.images])

    batch = fastest({batch: partial(theirs, batch=batch) for batch in BATCHES}, TRIAL)
    works: dict[str, Work] = {plan: partial(ours, model=at.plans[plan][0]) for plan in PLANS}
    timed = in_turn({"captum": partial(theirs, batch=batch), **works}, size, rounds)
    n = size.images * size.probes
    for plan in PLANS:
        maps = torch.stack([timed.answers[plan].values.flatten(), timed.answers["captum"].flatten()])
        yield Row.of(
            "integrated_gradients",
            plan,
            network,
            work=f"integrated gradients, {size.probes} nodes, {size.images} images",
            peer=f"captum {version('captum')}, batches of {batch}",
            spread=timed.ratio("captum", plan),
            note=f"{at.plans[plan][1].plan.label}; maps correlate {torch.corrcoef(maps)[0, 1]:.4f}; {n} passes",
        )
