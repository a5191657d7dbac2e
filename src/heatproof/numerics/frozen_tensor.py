"""A tensor as a field of settings. It is written to JSON in full (type, shape, base64), so that settings survive a round trip and
their hash depends on the values of the tensor.
"""

import base64
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from torch import Tensor

ALLOW_TENSORS = ConfigDict(arbitrary_types_allowed=True)
"""The `model_config` of settings with a `FrozenTensor` field."""


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        raw = np.frombuffer(base64.b64decode(value["data"]), dtype=value["dtype"])
        return torch.from_numpy(raw.copy()).reshape(value["shape"])
    return value.detach().cpu().clone() if isinstance(value, Tensor) else value


def _write(value: Tensor) -> dict[str, Any]:
    array = value.numpy()
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


FrozenTensor = Annotated[Tensor, BeforeValidator(_read), PlainSerializer(_write), WithJsonSchema({"type": "object"})]
