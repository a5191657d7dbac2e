"""SmoothGrad against captum's NoiseTunnel at its best batch size, and zennit's attributor, which takes a sample at a time."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import version

import torch
from captum.attr import NoiseTunnel, Saliency
from zennit.attribution import SmoothGrad as ZennitSmoothGrad

from benchmarks.harness import FULL, Row, Size, Work, fastest, in_turn
from benchmarks.subjects import PLANS, subject
from heatproof.methods import SmoothGrad
from heatproof.models import Model
from heatproof.perturb.noises import Gaussian

NETWORKS = ("efficientnet_lite0", "squeezenet1_1", "resnet50")
SAMPLES = (8, 4, 2, 1)
"""Samples of every image that captum is offered to hold at once."""
TRIAL = replace(FULL, probes=8)
SIGMA = 0.15


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row for each plan and peer."""
    at = subject(network)
    tunnel = NoiseTunnel(Saliency(at.model.module))
    sigma = SIGMA * float(at.images.max() - at.images.min())
    one_hot = torch.eye(at.model.outputs(at.images[:1]).shape[1])

    def captum(size: Size, samples: int) -> object:
        images, target = at.images[: size.images], at.target[: size.images]
        return tunnel.attribute(
            images, nt_samples=size.probes, nt_samples_batch_size=samples, stdevs=sigma, target=target, abs=False
        )

    def zennit(size: Size) -> object:
        attributor = ZennitSmoothGrad(at.model.module, noise_level=SIGMA, n_iter=size.probes)
        return attributor(at.images[: size.images], one_hot[at.target[: size.images]])

    def ours(size: Size, model: Model) -> object:
        method = SmoothGrad(noise=Gaussian(sigma=SIGMA, relative_to="image"), samples=size.probes)
        return method.attribute(model, at.images[: size.images], at.target[: size.images])

    samples = fastest({samples: partial(captum, samples=samples) for samples in SAMPLES}, TRIAL)
    peers: dict[str, Work] = {"captum": partial(captum, samples=samples), "zennit": zennit}
    works: dict[str, Work] = {plan: partial(ours, model=at.plans[plan][0]) for plan in PLANS}
    timed = in_turn({**peers, **works}, size, rounds)
    called = {
        "captum": f"captum {version('captum')}, NoiseTunnel, batches of {samples * size.images}",
        "zennit": f"zennit {version('zennit')}, SmoothGrad",
    }
    n = size.images * size.probes
    for plan in PLANS:
        measured = at.plans[plan][1]
        for peer, name in called.items():
            yield Row.of(
                "smooth_grad",
                plan,
                network,
                work=f"SmoothGrad, {size.probes} samples, {size.images} images",
                peer=name,
                spread=timed.ratio(peer, plan),
                note=f"{measured.plan.label}; one gradient map differs by {measured.map_error:.3f}; {n} passes",
            )
