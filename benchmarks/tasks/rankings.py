"""The tasks that end in scores, and the table."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.tasks.networks import convolutional, drawn
from benchmarks.tasks.task import Names, Side, Task, near

CHECKPOINT = "weights.pt"


def ranked() -> Names:
    """A network without biases, so that a black image has no class, eight images, and the classes that it sees in them."""
    network, images = convolutional(), drawn(8, 3, 32, 32)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
        return {"network": network, "images": images, "labels": network(images).argmax(1)}


def checkpoint() -> Names:
    """The same, as a state dict and what builds the network."""
    given = ranked()
    network = given.pop("network")
    return {**given, "state": {name: value.clone() for name, value in network.state_dict().items()}, "build": convolutional}


def _quantus(head: str = "") -> str:
    return f"""import numpy
import quantus

{head}images_, labels_ = images.numpy(), labels.numpy()
scores = {{}}
for method in ("Saliency", "InputXGradient", "IntegratedGradients", "GradientShap"):
    metric = quantus.PixelFlipping(features_in_step=64, disable_warnings=True)
    kwargs = {{"explain_func": quantus.explain, "explain_func_kwargs": {{"method": method}}, "device": "cpu"}}
    scores[method] = metric(model=network, x_batch=images_, y_batch=labels_, a_batch=None, **kwargs)
ranking = sorted(scores, key=lambda method: numpy.mean(scores[method]))
"""


def _run(head: str = "") -> str:
    return f"""import heatproof as hp

{head}methods = ["gradient", "input_x_gradient", "integrated_gradients", "expected_gradients", "random_map"]
run = hp.run(model=network, bounds=(0, 1), data=(images, labels), methods=methods, metrics=["pixel_flipping"], progress=False)
"""


THEIRS: dict[str, Callable[[Names], bool]] = {
    "right": lambda names: [len(scores) for scores in names["scores"].values()] == [8] * 4,
    "error": lambda names: False,
    "control": lambda names: False,
}
"""quantus gives a number for each image, no interval, and no control."""


def _summary(names: Names) -> dict[str, list[Any]]:
    """The statistics of each method, by column."""
    columns: dict[str, list[Any]] = names["run"].summary().to_pydict()
    return columns


OURS: dict[str, Callable[[Names], bool]] = {
    "right": lambda names: _summary(names)["n"] == [8] * 5,
    "error": lambda names: all(low < high for low, high in zip(_summary(names)["low"], _summary(names)["high"], strict=True)),
    "control": lambda names: any(_summary(names)["control"]),
}


def _table() -> Names:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 1))
    return {
        "network": network,
        "background": torch.randn(60, 4),
        "rows": torch.randn(3, 4),
        "columns": ["age", "dose", "weight", "height"],
    }


def _shares(names: Names) -> Any:
    """The closed form of a linear network: w (x − mean of the background)."""
    return names["network"][0].weight.detach() * (names["rows"] - names["background"].mean(0))


TASKS = (
    Task(
        4,
        "A ranking of methods, with intervals and controls",
        ranked,
        Side("quantus", _quantus(), THEIRS),
        Side("heatproof", _run(), OURS),
    ),
    Task(
        5,
        "The same for one's own checkpoint",
        checkpoint,
        Side("quantus", _quantus("network = build()\nnetwork.load_state_dict(state)\n"), THEIRS),
        Side("heatproof", _run("network = build()\nnetwork.load_state_dict(state)\n"), OURS),
    ),
    Task(
        6,
        "The same for one's own module in memory, and a page to show",
        ranked,
        Side("quantus", _quantus(), THEIRS | {"picture": lambda names: False}),
        Side("heatproof", _run(), OURS | {"picture": lambda names: names["run"].report.is_file()}),
    ),
    Task(
        9,
        "A table: expected gradients against a background, drawn",
        _table,
        Side(
            "shap",
            """import matplotlib.pyplot as plt
import shap

values = shap.GradientExplainer(network, background).shap_values(rows)
shap.summary_plot(values[..., 0], rows.numpy(), feature_names=columns, show=False)
plt.savefig("table.png")
""",
            {
                "right": lambda names: near(names["values"], _shares(names), 0.2),
                "error": lambda names: False,
                "picture": lambda names: bool(names["files"]),
            },
        ),
        Side(
            "heatproof",
            """import heatproof as hp
from heatproof.perturb.fills import Reference

model = hp.Model(network, hp.Bounds(background.amin(0), background.amax(0)), output=hp.models.Regression())
maps = hp.methods.ExpectedGradients(baseline=Reference(images=background), baselines=200).attribute(model, rows)
maps.save("table.png", names=columns)
""",
            {
                "right": lambda names: near(names["maps"].values, _shares(names), 0.2),
                "error": lambda names: bool(names["maps"].error.isfinite().all()),
                "picture": lambda names: bool(names["files"]),
            },
        ),
        poison="rows",
    ),
)
