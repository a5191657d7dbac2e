"""LRP by `epsilon_plus_flat` against zennit with the canonizers it has for these networks: the same rules, so the same maps."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version

import torch
from scipy.stats import spearmanr
from torch import Tensor
from zennit.attribution import Gradient as ZennitGradient
from zennit.composites import EpsilonPlusFlat
from zennit.torchvision import ResNetCanonizer, VGGCanonizer

from benchmarks.harness import Row, Size, Work, in_turn
from benchmarks.subjects import PLANS, Subject, subject
from heatproof.methods import Attribution, Lrp

NETWORKS = ("resnet50", "vgg16_bn")


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row for each plan."""
    at = subject(network)
    plans = [plan for plan in PLANS if plan != "fast"]  # shares of bfloat16 sums are too coarse to conserve
    works: dict[str, Work] = {plan: partial(_explain, at, plan) for plan in plans}
    timed = in_turn({"zennit": partial(_by_zennit, at), **works}, size, rounds)
    for plan in plans:
        pairs = zip(timed.answers[plan].values, timed.answers["zennit"], strict=True)
        agreement = min(float(spearmanr(own.flatten(), other.flatten()).statistic) for own, other in pairs)
        yield Row.of(
            "backward_rules",
            plan,
            network,
            work=f"LRP, epsilon_plus_flat, {size.images} images",
            peer=f"zennit {version('zennit')}",
            spread=timed.ratio("zennit", plan),
            note=f"{at.plans[plan][1].plan.label}; maps correlate by rank, at least {agreement:.4f}",
        )


def ours(network: str, images: int) -> Callable[[], object]:
    """For a process of its own."""
    at = subject(network)
    model = at.model.with_(chunk=None)
    return lambda: Lrp(composite="epsilon_plus_flat").attribute(model, at.images[:images], at.target[:images])


def theirs(network: str, images: int) -> Callable[[], object]:
    """The same by zennit."""
    return partial(_by_zennit, subject(network), Size(images=images))


def _explain(at: Subject, plan: str, size: Size) -> Attribution:
    model = at.plans[plan][0]  # type: ignore[index]  # one of PLANS
    return Lrp(composite="epsilon_plus_flat").attribute(model, at.images[: size.images], at.target[: size.images])


def _by_zennit(at: Subject, size: Size) -> Tensor:
    """Relevance that begins as the score."""
    module, images, target = at.model.module, at.images[: size.images].clone(), at.target[: size.images]
    canonizer = ResNetCanonizer if hasattr(module, "layer1") else VGGCanonizer  # both at once leave zennit unable to restore

    def begin(output: Tensor) -> Tensor:
        return output * torch.eye(output.shape[1])[target]

    with ZennitGradient(module, composite=EpsilonPlusFlat(canonizers=[canonizer()]), attr_output=begin) as attributor:
        found: Tensor = attributor(images)[1].detach()
    return found
