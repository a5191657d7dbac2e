"""Networks that are sent to the processes of a cluster, so that no other machine needs their files or trains them again.

A network is pickled without the content of its tensors, which go beside it as arrays: a cluster stores each array once per machine,
read-only and shared by all processes there. A process clones them when it builds its network, so that whatever writes weights, such
as a metric that randomises them, writes its own. What cannot be pickled is not sent; each process then loads it by its settings.
"""

import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.core.objects import built
from heatproof.models.loaders.base import Loader
from heatproof.models.model import Model

Arrays = list["np.ndarray[Any, Any]"]


@dataclass(frozen=True)
class SentNetwork:
    """A network without the content of its tensors, and the arrays that they consist of.

    >>> from heatproof.evaluation.broadcast import SentNetwork
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="mlp", width=0.02).load()
    >>> sent = SentNetwork.of(model)
    >>> sent is not None and sent.model().digest == model.digest
    True
    """

    skeleton: bytes
    arrays: Arrays

    @classmethod
    def of(cls, model: Model) -> "SentNetwork | None":
        """A network to be sent; None if it cannot be pickled."""
        buffer, arrays = io.BytesIO(), Arrays()
        try:
            _Pickler(buffer, arrays).dump(model.with_())  # a copy, without the digest that the model has computed of itself
        except Exception:  # pickling runs code of the network, which may raise anything
            return None
        return cls(buffer.getvalue(), arrays)

    def model(self) -> Model:
        """The network, whose tensors are clones."""
        return cast(Model, _Unpickler(io.BytesIO(self.skeleton), self.arrays).load())


_received: dict[str, Callable[[], SentNetwork]] = {}
_device: list[str] = []


def receive(digest: str, sent: Callable[[], SentNetwork]) -> None:
    """Take a network that was sent, by the digest of its weights; `sent` is called when it is built."""
    _received[digest] = sent


def put_networks_on(device: str) -> None:
    """Choose the device of all networks that this process builds from now on."""
    _device[:] = [device]


def network(settings: str, digest: str) -> Model:
    """The network with these settings and this digest of its weights: the one that was sent, or else the one that they load.

    Args:
        settings: the settings of the loader, as JSON.
        digest: the digest of the weights that the run started with.

    Raises:
        ModelError: the network cannot be loaded, or has other weights.
    """
    model = _received[digest]().model() if digest in _received else built(Loader, json.loads(settings)).load()
    if model.digest != digest:
        raise ModelError(f"{model.name}: expected the weights that the run started with, got others; start the run again")
    if _device:
        model.module.to(_device[0])
    return cast(Model, model)


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, arrays: Arrays) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._arrays = arrays

    def persistent_id(self, value: Any) -> int | None:
        if type(value) is not Tensor or value.requires_grad or not _is_plain(value):
            return None
        self._arrays.append(value.numpy())
        return len(self._arrays) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, arrays: Arrays) -> None:
        super().__init__(file)
        self._arrays = arrays

    def persistent_load(self, index: int) -> Tensor:
        return torch.from_numpy(self._arrays[index].copy())


def _is_plain(value: Tensor) -> bool:
    """Whether a tensor is no more than an array: other tensors, such as those with channels last, are pickled as torch does."""
    dense = value.device.type == "cpu" and value.layout is torch.strided and value.is_contiguous()
    return dense and not value.is_quantized and not value.is_conj() and not value.is_neg() and value.dtype in _NUMPY


_NUMPY = {torch.float16, torch.float32, torch.float64, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool}
