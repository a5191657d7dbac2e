"""What the page about molecules says beside the tables of `heatproof reproduce molecules`: four minutes on one core.

`python -m benchmarks.molecules` prints, for networks with and without layer normalisation, their accuracy, how the score and
gradient times input of the atoms grow with the features, and what integrated gradients miss; with normalisation, where on the path
the score changes and how many nodes completeness takes, and what gradient times input is worth in three trainings; then, for a
network that saw esters only together with benzene and for one that saw both apart, the share of molecules that it calls an ester,
and what removing either costs.
"""

import torch
from torch import Tensor

from heatproof.data import Molecules, load, load_regions
from heatproof.data.base import Item
from heatproof.data.molecular_graphs import ELEMENTS, matches
from heatproof.data.molecules import RULES
from heatproof.methods import InputXGradient, IntegratedGradients, Method, RandomMap
from heatproof.metrics import RegionAuc
from heatproof.models import Model
from heatproof.models.loaders import MessagePassing
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.stats.bootstrap import mean_interval
from heatproof.training import Trained, TrainingConfig, accuracy

TRAINING = TrainingConfig(epochs=30, learning_rate=3e-3)
BOTH = Molecules(part="test", count=60, positives=True, task="ester", correlate="benzene")


def trained(data: Molecules, *, normalised: bool = False, nth: int = 0) -> Model:
    """The network of a reproduction, or another training of it, from the cache if it ran before."""
    return Trained(architecture=MessagePassing(normalised=normalised), dataset=data, training=TRAINING).reseeded(nth).load()


def scores(network: Model, images: Tensor) -> Tensor:
    """The log-odds of class 1."""
    return network.outputs(images)[:, 0].detach()


def of_scale(*, normalised: bool) -> None:
    """How the score depends on the scale of the features of the atoms."""
    network = trained(Molecules(part="train", count=1500), normalised=normalised)
    test = Molecules(part="test", count=60, positives=True)
    images = load(test, test.items(), None).images
    doubled = images.clone()
    doubled[:, : len(ELEMENTS)] *= 2
    score = scores(network, images)
    atoms = InputXGradient().attribute(network, images, 1).values[:, : len(ELEMENTS)].flatten(1).sum(1) / score
    gap = IntegratedGradients(baseline="zero").attribute(network, images, 1).gap
    print(f"normalised {normalised}: accuracy {accuracy(network, Molecules(part='test', count=200)):.3f}")
    print(f"  gradient × input of the atoms / score: {atoms.min():.4f} to {atoms.max():.4f}")
    print(f"  score of doubled features / score, median: {(scores(network, doubled) / score).median():.3f}")
    print(f"  gap of IG: median {gap.median():.4f}, largest {gap.max():.4f}")


def of_path() -> None:
    """Where on the path from null atoms the score of a normalised network changes, and how many nodes completeness takes."""
    network = trained(Molecules(part="train", count=1500), normalised=True)
    test = Molecules(part="test", count=12, positives=True)
    images = load(test, test.items(), None).images
    for share in (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 0.1, 0.5):
        moved = scores(network, images * share) / scores(network, images)
        print(f"  score at {share:g} of the path / score, median: {moved.median():.3f}")
    fixed = {f"{n:,} nodes": IntegratedGradients(baseline="zero", quadrature=GaussLegendre(steps=n)) for n in (50, 1000, 4000)}
    adaptive = IntegratedGradients(baseline="zero", quadrature=GaussLegendre(steps=10_000), tolerance=0.01)
    for what, method in {**fixed, "tolerance .01": adaptive}.items():
        found = method.attribute(network, images, 1)
        nodes = sorted({*found.probes.tolist()})
        print(f"  gap with {what}: median {found.gap.median():.6f}, largest {found.gap.max():.6f}; nodes {nodes}")


def of_trainings() -> None:
    """The AUROC of gradient times input minus that of a random map, on 300 molecules and in three trainings."""
    test = Molecules(part="test", count=300, positives=True)
    images, regions = load(test, test.items(), None).images, load_regions(test, None)

    def areas(method: Method, network: Model) -> Tensor:
        maps = [method.attribute(network, some, 1).values for some in torch.split(images, 50)]
        return RegionAuc().score(torch.cat(maps), regions).values.double()

    for nth in range(3):
        network = trained(Molecules(part="train", count=1500), normalised=True, nth=nth)
        own, random = areas(InputXGradient(), network), areas(RandomMap(), network)
        print(f"training {nth + 1}, gradient × input: {mean_interval(own.numpy())}")
        print(f"  minus the random map: {mean_interval((own - random).numpy())}")


def of_correlate(correlate: str) -> None:
    """What a network calls an ester, and what removing each fragment from molecules with both costs."""
    network = trained(Molecules(part="train", count=1500, task="ester", correlate=correlate))
    rings = Molecules(part="test", count=80, positives=True)
    mixed = Molecules(part="test", count=120, task="ester", correlate="benzene")
    alone = BOTH.model_copy(update={"share": 0.0})
    sets: dict[str, tuple[Molecules, list[Item]]] = {
        "both": (BOTH, BOTH.items()),
        "ester alone": (alone, alone.items()),
        "benzene alone": (rings, [item for item in rings.items() if not matches(item.name, RULES["ester"])[0]][:60]),
        "neither": (mixed, [item for item in mixed.items() if item.label == 0][:60]),
    }
    print(f"trained on both {'together' if correlate else 'apart'}")
    for name, (data, items) in sets.items():
        share = (scores(network, load(data, items, None).images) > 0).double().mean()
        print(f"  {name}, {len(items)}: called an ester {share:.2f}")
    images = load(BOTH, BOTH.items(), None).images
    for what, data in (("ester", BOTH), ("benzene", BOTH.model_copy(update={"region_of": "correlate"}))):
        every = load_regions(data, None)[:, -1].nan_to_num(0)  # the last legal mask holds all matches
        drop = scores(network, images) - scores(network, images * (1 - every)[:, None])
        print(f"  score lost without {what}: {mean_interval(drop.double().numpy())}")


if __name__ == "__main__":
    for normalised in (True, False):
        of_scale(normalised=normalised)
    of_path()
    of_trainings()
    for correlate in ("benzene", ""):
        of_correlate(correlate)
