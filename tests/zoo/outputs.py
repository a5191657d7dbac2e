"""Outputs: what a forward pass may return."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.models import Regression
from tests.zoo.network import ALL, MAPS, NO_PLACES, Step, awkward, dense, table

IN_ROWS = "expected one row of outputs for each image"
AMBIGUOUS = "expected one tensor that can be the network's outputs"


@awkward("a tuple of logits and features of three axes", table)
def in_a_tuple() -> nn.Module:
    return dense(lambda z: (z, z[:, :, None].square()))


@awkward("a tuple of two matrices, of which either may be the outputs", table, refused={ALL: AMBIGUOUS})
def two_matrices() -> nn.Module:
    return dense(lambda z: (z, z.square()))


@awkward("a dictionary whose logits come last", table)
def in_a_dictionary() -> nn.Module:
    return dense(lambda z: {"loss": z.sum(), "logits": z})


@awkward("an object with an attribute `logits`", table)
def in_an_object() -> nn.Module:
    return dense(lambda z: SimpleNamespace(logits=z, hidden=(z, z)))


@awkward("an output within an output, and none that is marked as the logits", table, refused={ALL: AMBIGUOUS})
def nested() -> nn.Module:
    return dense(lambda z: ((z, z.softmax(1)), z.square()))


@awkward("nothing that is a tensor", table, refused={ALL: "the network returned no tensor"})
def without_a_tensor() -> nn.Module:
    return dense(lambda z: z.detach().tolist())


@awkward("one output for two classes", table, target=None)
def one_logit() -> nn.Module:
    return dense(outputs=1)


@awkward(
    "a regression that removes every axis of length one, and so the batch of a lone row", table, output=Regression(), target=None
)
def squeezed() -> nn.Module:
    return dense(lambda z: z.squeeze(), outputs=1)


@awkward("one number for each row, without an axis for outputs", table, output=Regression(), target=None)
def vector() -> nn.Module:
    return dense(lambda z: z[:, 0])


@awkward("probabilities: the network ends in softmax", table)
def softmax_at_the_end() -> nn.Module:
    return dense(nn.Softmax(1))


@awkward("log-probabilities: the network ends in log_softmax", table)
def log_softmax_at_the_end() -> nn.Module:
    return dense(nn.LogSoftmax(1))


@awkward("probabilities of independent labels: the network ends in a sigmoid", table)
def sigmoid_at_the_end() -> nn.Module:
    return dense(nn.Sigmoid())


@awkward("ten thousand outputs", table)
def ten_thousand_outputs() -> nn.Module:
    return dense(outputs=10_000)


@awkward("a row of outputs for each place", refused={ALL: IN_ROWS})
def dense_prediction() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 3, 1))


@awkward("one row of outputs for the whole batch", table, refused={ALL: IN_ROWS})
def one_row_for_the_batch() -> nn.Module:
    return dense(lambda z: z.mean(0, keepdim=True))


@awkward("a decision in place of scores", table, refused={ALL: "expected outputs in floating-point numbers"})
def decisions() -> nn.Module:
    return dense(lambda z: z > 0)


@awkward("scores as a sparse matrix", table, refused={ALL: "expected a dense tensor"})
def sparse_scores() -> nn.Module:
    return dense(lambda z: z.to_sparse())


@awkward("an output that no input reaches", table, zero=("gradients", "DeepLIFT", "guided"))
def constant() -> nn.Module:
    return dense(lambda z: z * 0 + 1)


@awkward("no parameters at all", affine=True, refused={MAPS: NO_PLACES})
def no_parameters() -> nn.Module:
    return Step(lambda x: torch.stack([x.mean((1, 2, 3)), x[:, 0].sum((1, 2)) - x[:, 1, 2, 2]], 1))


@awkward("a layer whose forward takes its input by name only", table)
class ByName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = dense()
        self.outer = NamedOnly()

    def forward(self, x: Tensor) -> Any:
        return self.outer(hidden=self.inner(x))


class NamedOnly(nn.Module):
    """A layer of one argument, given by name."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, *, hidden: Tensor) -> Tensor:
        return self.layer(hidden.tanh())
