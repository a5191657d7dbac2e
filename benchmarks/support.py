"""Which networks backward rules run on: every family of torchvision and one network of each of timm, with random weights.

    python -m benchmarks.support [NETWORK …]     # writes benchmarks/support.json, each network as it is done; all unless named

Each is tried as a user would: LRP by `epsilon_plus`, which compares its outputs with those of the plain network bit for bit, and by
`z_plus_everywhere`, which absorbs nothing: what is missing from the score is rounding. A refusal is a result: it names the
operation.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from heatproof.core.errors import HeatproofError
from heatproof.methods import Lrp
from heatproof.models import Model
from heatproof.models.loaders import Loader, Timm, Torchvision
from heatproof.models.preprocessing import Preprocessing
from heatproof.passes.memory import keep_freed_memory

RESULTS = Path(__file__).parent / "support.json"
SMALL = (
    *("atto", "femto", "pico", "zepto", "nano", "xxs", "xx_small", "tiny", "_xs", "mini", "micro"),
    *("_m0", "_s0", "_t0", "_b0", "_t", "_s", "18", "26"),
)
"""Parts of the names of a family's small members, smallest first."""


OTHERWISE = dict.fromkeys(("deepseek_vit", "qwen3_vit"), Preprocessing(side=224, resize=224))
"""For families whose record has another crop than a centred one, which a loader refuses to guess."""


@dataclass(frozen=True)
class Support:
    """What came of one network.

    parameters  how many.
    side        pixels.
    shares      sum of the map over the score, by composite; None where the map was refused.
    refusal     why, or "".
    """

    library: str
    family: str
    network: str
    parameters: int
    side: int
    shares: dict[str, float | None]
    refusal: str
    seconds: float


def networks() -> Iterator[tuple[str, str, Loader]]:
    """(library, family, how to load it)."""
    import timm
    from torchvision import models

    seen: dict[str, list[str]] = {}
    for name in models.list_models(module=models):
        seen.setdefault(models.get_model_builder(name).__module__.rpartition(".")[2], []).append(name)
    seen |= {"vgg, normalised": ["vgg11_bn"], "swin_transformer, second": ["swin_v2_t"], "resnet, bottleneck": ["resnet50"]}
    for family, members in seen.items():
        yield "torchvision", family, Torchvision(architecture=small(members), weights=None)
    for family in timm.list_modules():
        if members := timm.list_models(module=family):
            yield "timm", family, Timm(architecture=small(members), pretrained=False, preprocessing=OTHERWISE.get(family))


def small(members: Sequence[str]) -> str:
    """A small one of a family, by its name."""

    def rank(name: str) -> tuple[int, int, str]:
        found = next((place for place, part in enumerate(SMALL) if part in name), len(SMALL))
        return found, len(name), name

    return min(members, key=rank)


def tried(library: str, family: str, loader: Loader) -> Support:
    """One network."""
    started = time.perf_counter()
    name, refusal, parameters, side = str(loader.to_dict()["architecture"]), "", 0, 0
    shares: dict[str, float | None] = {}
    try:
        model = loader.load()
        parameters = sum(parameter.numel() for parameter in model.module.parameters())
        side = 0 if model.preprocessing is None else model.preprocessing.side
        shares |= {composite: share(model, composite, side) for composite in ("epsilon_plus", "z_plus_everywhere")}
    except HeatproofError as error:
        refusal = str(error)
    return Support(library, family, name, parameters, side, shares, refusal, time.perf_counter() - started)


def share(model: Model, composite: str, side: int) -> float:
    """Σ map over the score, of a random image within the bounds, for the class the network names."""
    for parameter in model.module.parameters():  # heads that begin at zero have no score to share out
        if parameter.ndim > 1 and not bool(parameter.any()):
            torch.nn.init.normal_(parameter, std=0.02, generator=torch.Generator().manual_seed(0))
    noise = torch.rand(1, len(model.bounds.lower), side, side, generator=torch.Generator().manual_seed(0))
    lower, upper = model.bounds.like(noise)
    found = Lrp(composite=composite).attribute(model, lower + noise * (upper - lower))
    return float(found.values.double().sum() / found.expected_sum.double().sum())


def main(wanted: Sequence[str] = ()) -> None:
    """Try what was asked for, and keep the rest of the file."""
    keep_freed_memory()
    for library, family, loader in networks():
        if wanted and loader.to_dict()["architecture"] not in wanted and family not in wanted and library not in wanted:
            continue
        found = tried(library, family, loader)
        sys.stdout.write(f"{library} {family} {found.network}: {found.shares} {found.refusal} {found.seconds:.1f} s\n")
        sys.stdout.flush()
        kept = [row for row in read() if (row.library, row.family) != (library, family)]
        RESULTS.write_text(json.dumps([asdict(row) for row in [*kept, found]], indent=1, ensure_ascii=False) + "\n", "utf-8")


def read() -> list[Support]:
    """What is known, in order."""
    rows = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else []
    return sorted((Support(**row) for row in rows), key=lambda row: (row.library != "torchvision", row.family))


if __name__ == "__main__":
    main(sys.argv[1:])
