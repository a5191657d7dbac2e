"""Every gradient method against the bare primitives: what is spent besides the rows.

The ratio is the method's seconds over those of as many rows through `gradient`, and of its forward rows through `scores`, both in
full chunks and priced in the same round.
"""

from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.harness import Row, Size, Work, in_turn, spread
from benchmarks.subjects import CHUNK, subject
from heatproof.methods import ExpectedGradients, Gradient, InputXGradient, IntegratedGradients, Method, SmoothGrad, SmoothTaylor
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.passes.forward import scores
from heatproof.passes.gradient import gradient
from heatproof.passes.relevance import traced_outputs
from heatproof.relevance.composites.base import PlainGradient
from heatproof.relevance.handlers import handler
from heatproof.relevance.interceptor import Interceptor

NETWORKS = ("efficientnet_lite0", "resnet50")
MOST = 12
"""Probes an image: with four images, three full chunks."""
STRATA = 4


def methods(probes: int) -> dict[str, Method]:
    """Each with so many probes, those that take one aside."""
    return {
        "gradient": Gradient(),
        "input × gradient": InputXGradient(),
        "integrated gradients": IntegratedGradients(quadrature=GaussLegendre(steps=probes)),
        "SmoothGrad": SmoothGrad(samples=probes),
        "SmoothTaylor": SmoothTaylor(samples=probes),
        "expected gradients": ExpectedGradients(baselines=probes // STRATA, strata=STRATA),
    }


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row for each method."""
    at = subject(network)
    shape = tuple(at.images.shape[1:])
    chunk, classes = at.images[torch.arange(CHUNK) % len(at.images)], at.target[torch.arange(CHUNK) % len(at.target)]

    def probes(size: Size) -> int:
        return min(size.probes, MOST)

    def images(size: Size, name: str) -> int:
        """As many backward rows for every method."""
        return size.images * probes(size) // methods(probes(size))[name].cost(shape).backward

    def explain(size: Size, name: str) -> None:
        which = torch.arange(images(size, name)) % len(at.images)
        methods(probes(size))[name].attribute(at.model, at.images[which], at.target[which])

    def gradients(size: Size) -> None:
        for _ in range(size.images * probes(size) // CHUNK):
            gradient(at.model, chunk, classes)

    def forwards(size: Size) -> None:
        for _ in range(size.images * probes(size) // CHUNK):
            scores(at.model, chunk, classes)

    def followed_gradients(size: Size) -> None:
        """With every operation seen, and none changed."""
        for _ in range(size.images * probes(size) // CHUNK):
            traced = traced_outputs(at.model, Interceptor(PlainGradient(), at.model.module, at.model.bounds, handler), chunk)
            torch.autograd.grad(traced.outputs.gather(1, classes[:, None]).sum(), traced.inputs)

    names = list(methods(probes(size)))
    works: dict[str, Work] = {name: partial(explain, name=name) for name in names}
    timed = in_turn({"gradients": gradients, "forwards": forwards, "followed": followed_gradients, **works}, size, rounds)
    n = size.images * probes(size)
    yield Row.of(
        "overhead",
        "followed",
        network,
        work=f"gradient with every operation followed, {n} passes",
        peer="bare gradient passes, same chunk",
        spread=timed.ratio("followed", "gradients"),
        note="plain",
    )
    for name in names:
        cost = methods(probes(size))[name].cost(shape)
        ends = (cost.forward - cost.backward) * images(size, name)
        prices = zip(timed.seconds["gradients"], timed.seconds["forwards"], strict=True)
        bare = [backward + forward * ends / n for backward, forward in prices]
        yield Row.of(
            "overhead",
            name,
            network,
            work=f"{name}, {n} passes",
            peer="bare gradient passes, same chunk",
            spread=spread([own / other for own, other in zip(timed.seconds[name], bare, strict=True)]),
            note=f"plain; {images(size, name)} images" + (f", {ends} forward passes besides" if ends else ""),
        )
