"""Attribution maps for neural networks, and proof of what they are worth on your own model and data.

The names below are loaded when they are first used: `import heatproof` costs no more than it must, and the command line
can show its help without torch.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Advice": "heatproof.verdict",
    "accelerate": "heatproof.passes.acceleration",
    "Attribution": "heatproof.methods",
    "Bounds": "heatproof.models",
    "Model": "heatproof.models",
    "Judgement": "heatproof.verdict",
    "advise": "heatproof.verdict",
    "judge": "heatproof.verdict",
    "load_images": "heatproof.data",
    "load_model": "heatproof.models.loaders",
    "load_regions": "heatproof.data",
    "mean_interval": "heatproof.stats",
    "run": "heatproof.pipeline",
    "Run": "heatproof.store",
    "score": "heatproof.metrics",
}

_ROOMS = ("data", "interop", "methods", "metrics", "models", "numerics", "perturb", "stats")

__all__ = [
    "Advice",
    "Attribution",
    "Bounds",
    "Judgement",
    "Model",
    "Run",
    "__version__",
    "accelerate",
    "advise",
    "judge",
    "load_images",
    "load_model",
    "load_regions",
    "mean_interval",
    "run",
    "score",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from heatproof.core.loading import loading

        with loading():
            return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"heatproof.{name}")
    raise AttributeError(f"module 'heatproof' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
