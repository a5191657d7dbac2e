"""What the page about molecules says beside the tables of `heatproof reproduce molecules`: two minutes on one core.

`python -m benchmarks.molecules` prints, for networks with and without layer normalisation, their accuracy, how the score and
gradient times input of the atoms grow with the features, and what integrated gradients miss; then, for a network that saw esters
only together with benzene and for one that saw both apart, the share of molecules that it calls an ester, and what removing either
costs.
"""

from torch import Tensor

from heatproof.data import Molecules, load, load_regions
from heatproof.data.base import Item
from heatproof.data.molecular_graphs import ELEMENTS, matches
from heatproof.data.molecules import RULES
from heatproof.methods import InputXGradient, IntegratedGradients
from heatproof.models import Model
from heatproof.models.loaders import MessagePassing
from heatproof.stats.bootstrap import mean_interval
from heatproof.training import Trained, TrainingConfig, accuracy

TRAINING = TrainingConfig(epochs=30, learning_rate=3e-3)
BOTH = Molecules(part="test", count=60, positives=True, task="ester", correlate="benzene")


def trained(data: Molecules, *, normalised: bool = False) -> Model:
    """The network of a reproduction, from the cache if it ran before."""
    return Trained(architecture=MessagePassing(normalised=normalised), dataset=data, training=TRAINING).load()


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
    for correlate in ("benzene", ""):
        of_correlate(correlate)
