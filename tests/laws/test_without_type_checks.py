"""Wrong types and shapes are refused in words also where no run-time checker of shapes stands in front, as for every user."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = r"""
import json, sys
import torch
import heatproof as hp
from heatproof.attacks import RandomSign
from heatproof.core.errors import HeatproofError
from heatproof.methods import Attribution, EdgeMap, Gradient, RandomMap, SmoothTaylor
from heatproof.metrics import Completeness, EnergyInMask, PerturbationCurve, Repeatability, SimilarityTo, TotalVariationCurve
from heatproof.perturb.changes import ChangeContext
from tests.support import zoo

torch.set_num_threads(1)
model, table = zoo.model(zoo.residual()), zoo.model(zoo.tabular_mlp(), channels=7)
images, maps = zoo.images(3), zoo.images(3, seed=1)
curve = PerturbationCurve(side=2, regions=2, draws=2)
calls = {
    "8-bit images": lambda: Gradient().attribute(model, (images * 10).to(torch.uint8), 0),
    "numbers without a batch": lambda: Gradient().attribute(table, zoo.table(1)[0], 0),
    "target of words": lambda: Gradient().attribute(model, images, ["cat", "dog", "cow"]),
    "ragged target": lambda: Gradient().attribute(model, images, [[0], [1, 2], [0]]),
    "edges of a table": lambda: EdgeMap().attribute(table, zoo.table(2), 0),
    "one map without a batch": lambda: TotalVariationCurve(scaled=True).score(maps[0, 0, 0]),
    "maps of fewer images": lambda: curve.score(model, images, 0, maps[:2]),
    "regions of smaller images": lambda: EnergyInMask().score(maps, torch.ones(3, 4, 4)),
    "an attack on a table": lambda: RandomSign()(
        ChangeContext(zoo.table(2), table.bounds, torch.zeros(2, dtype=torch.long), table, lambda x: x, 0), [0.1]
    ),
    "two sizes of maps": lambda: SimilarityTo(reference=Gradient()).score(maps, maps[:, :, :4]),
    "a grey mask": lambda: EnergyInMask().score(maps, maps[:, 0].sigmoid()),
    "maps of smaller images": lambda: curve.score(model, images, 0, maps[:, :, :4]),
    "target of fractions for a metric": lambda: curve.score(model, images, torch.zeros(3), maps),
    "a bare module for a method": lambda: Gradient().attribute(model.module, images),
    "a bare module for a metric": lambda: curve.score(model.module, images, 0, maps),
    "a bare module to score": lambda: hp.score(curve, model.module, images, maps),
    "the name of a network": lambda: hp.score(curve, "resnet18", images, maps),
    "an attribution for maps": lambda: curve.score(model, images, 0, Gradient().attribute(model, images)),
    "an attribution for maps alone": lambda: TotalVariationCurve(scaled=True).score(Gradient().attribute(model, images)),
    "a method for maps": lambda: curve.score(model, images, 0, Gradient()),
    "a method for a function": lambda: Repeatability().score(model, images, 0, Gradient()),
    "an attribution for a function": lambda: Repeatability().score(model, images, 0, Gradient().attribute(model, images)),
    "maps without regions": lambda: hp.score("energy_in_mask", model, images, maps),
    "maps of which no method is known": lambda: hp.score("repeatability", model, images, maps),
    "a method for a metric": lambda: hp.score(Gradient(), model, images, maps),
    "the class of a metric": lambda: hp.score(Repeatability, model, images, Gradient()),
    "the class of a method": lambda: hp.score(Repeatability(), model, images, Gradient),
    "a metric for maps": lambda: hp.score(curve, model, images, Repeatability()),
    "a list of maps": lambda: hp.score(curve, model, images, list(maps)),
    "an array of maps": lambda: hp.score(curve, model, images, maps.numpy()),
    "fewer maps than images": lambda: hp.score("sparseness", model, images, maps[:2]),
    "two targets": lambda: hp.score(curve, model, images, Gradient().attribute(model, images), target=1),
    "total variation of a table": lambda: TotalVariationCurve(scaled=True).score(zoo.table(2)),
    "pictures of a table": lambda: hp.score({"name": "random_logit", "similarity": "ssim"}, table, zoo.table(2), Gradient()),
}
said = {}
for name, call in calls.items():
    try:
        call()
        said[name] = ["nothing", ""]
    except HeatproofError as error:
        said[name] = [type(error).__name__, str(error)]
    except Exception as error:
        said[name] = [type(error).__name__, str(error)]
print(json.dumps(said))
"""

EXPECTED = {
    "8-bit images": ("TensorError", "use images.float() / 255"),
    "numbers without a batch": ("TensorError", "add a batch axis"),
    "target of words": ("TensorError", "target: expected None, an integer or 3 integers"),
    "ragged target": ("TensorError", "target: expected None, an integer or 3 integers"),
    "edges of a table": ("TensorError", "edge_map: expected images [b, c, h, w]"),
    "one map without a batch": ("TensorError", "a single map needs a batch axis"),
    "maps of fewer images": ("TensorError", "maps: expected one per image"),
    "regions of smaller images": ("TensorError", "regions: expected one per map"),
    "an attack on a table": ("TensorError", "random_sign: expected images [b, c, h, w]"),
    "two sizes of maps": ("TensorError", "maps: expected maps of one size"),
    "a grey mask": ("TensorError", "choose a threshold"),
    "maps of smaller images": ("TensorError", "maps: expected one per image"),
    "target of fractions for a metric": ("TensorError", "target: expected"),
    "a bare module for a method": ("UsageError", "write Model(module, Bounds.of(0, 1, channels=3))"),
    "a bare module for a metric": ("UsageError", "write Model(module, Bounds.of(0, 1, channels=3))"),
    "a bare module to score": ("UsageError", "write Model(module, Bounds.of(0, 1, channels=3))"),
    "the name of a network": ("UsageError", "use load_model('resnet18')"),
    "an attribution for maps": ("TensorError", "use its .values"),
    "an attribution for maps alone": ("TensorError", "use its .values"),
    "a method for maps": ("TensorError", "use its .attribute(model, images).values"),
    "a method for a function": ("UsageError", "make one by bound(method, model), or call heatproof.score"),
    "an attribution for a function": ("UsageError", "make one by bound(method, model), or call heatproof.score"),
    "maps without regions": ("UsageError", "energy_in_mask: regions: expected where the object of each image lies"),
    "maps of which no method is known": ("UsageError", "repeatability: maps: expected a Method or an Attribution"),
    "a method for a metric": ("UsageError", "got the method gradient"),
    "the class of a metric": ("UsageError", "write Repeatability() for its default settings"),
    "the class of a method": ("UsageError", "write Gradient() for its default settings"),
    "a metric for maps": ("UsageError", "got the metric repeatability"),
    "an array of maps": ("TensorError", "use torch.as_tensor(maps)"),
    "a list of maps": ("TensorError", "use torch.stack(maps)"),
    "fewer maps than images": ("TensorError", "maps: expected one per image"),
    "two targets": ("UsageError", "leave it out"),
    "total variation of a table": ("TensorError", "for tables choose another metric, one that does not need places"),
    "pictures of a table": (
        "TensorError",
        "random_logit: expected images [b, c, h, w], got [2, 7]; for tables and signals set similarity",
    ),
}


pytestmark = pytest.mark.one_process  # one process calls the library


@pytest.fixture(scope="module")
def said() -> dict[str, list[str]]:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("call", EXPECTED)
def test_a_wrong_call_is_refused_in_words(call: str, said: dict[str, list[str]]) -> None:
    kind, words = EXPECTED[call]
    assert said[call][0] == kind, said[call]
    assert words in said[call][1]
    assert "got" in said[call][1]
