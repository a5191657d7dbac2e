"""Purity: forward passes that are no function of a row alone."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.zoo.network import ALL, MAPS, NO_PLACES, Step, awkward, convolutional, dense, head, of_shape, table

RANDOM = "random numbers"
BATCH = "do not depend on the other images of its batch"
STATE = "state"
OTHER_OPERATIONS = "expected the same operations for an image as for its baseline"
TOO_FEW = "Expected more than 1 value per channel"
"""What such a network says itself; its error reaches the caller as it is."""


@awkward("normalisation by statistics of the batch, also in evaluation mode", refused={ALL: BATCH})
def batch_statistics() -> nn.Module:
    return convolutional(nn.BatchNorm2d(6, track_running_stats=False))


@awkward("a mean over the batch", table, refused={ALL: BATCH})
def centred_on_the_batch() -> nn.Module:
    return dense(lambda z: z - z.mean(0, keepdim=True))


@awkward("values divided by the largest of the batch", table, refused={ALL: BATCH})
def scaled_by_the_batch() -> nn.Module:
    return dense(lambda z: z / z.abs().max())


@awkward("dropout as a function, which is on also in evaluation mode", refused={ALL: RANDOM})
def functional_dropout() -> nn.Module:
    return convolutional(lambda h: F.dropout(h, 0.5))


@awkward("random numbers drawn in the forward pass", table, refused={ALL: RANDOM})
def random_numbers() -> nn.Module:
    return dense(lambda z: z + torch.rand(len(z), 1))


@awkward("a counter of calls that is added to the outputs", table, refused={ALL: STATE}, forgetful=False)
class Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = dense()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x) * self.calls


@awkward("a recurrent network that starts from where its last call ended", of_shape(2, 4), refused={ALL: STATE}, forgetful=False)
class KeptHidden(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.last, self.hidden = nn.GRU(2, 5, batch_first=True), nn.Linear(5, 3), None

    def forward(self, x: Tensor) -> Tensor:
        if self.hidden is not None and self.hidden.shape[1] != len(x):
            self.hidden = None
        out, hidden = self.recurrent(x.transpose(1, 2), self.hidden)
        self.hidden = hidden.detach()
        return self.last(out[:, -1])


@awkward("a forward pass that overwrites its input")
def overwrites_its_input() -> nn.Module:
    return nn.Sequential(Step(lambda x: x.mul_(0.5).add_(0.1)), nn.Conv2d(3, 6, 3), nn.Tanh(), head())


@awkward(
    "a branch for each row, by its own mean",
    refused={"DeepLIFT": OTHER_OPERATIONS, MAPS: NO_PLACES},
)
class BranchByRow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bright, self.dark = convolutional(nn.ReLU()), convolutional(nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.bright(row) if row.mean() > 0.1 else self.dark(row) for row in x.split(1)])


@awkward("a forward pass that refuses a batch of one", table, refused={ALL: TOO_FEW})
def needs_two_rows() -> nn.Module:
    return nn.Sequential(Step(needing_two), dense())


def needing_two(x: Tensor) -> Tensor:
    """The rows, if there are two."""
    if len(x) < 2:
        raise ValueError(TOO_FEW)
    return x


@awkward("a forward pass that needs contiguous memory", refused={MAPS: NO_PLACES})
def contiguous_memory() -> nn.Module:
    return nn.Sequential(Step(lambda x: x.view(len(x), -1)), nn.Linear(192, 8), nn.Tanh(), nn.Linear(8, 3))
