from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.methods import Gradient
from heatproof.models import Bounds, Model
from heatproof.models.output_matrix import output_matrix
from heatproof.passes.acceleration import Plan, apply
from tests.support.close import assert_close

Z, P, E = torch.zeros(2, 3), torch.ones(2, 3) / 3, torch.ones(2, 5)
Auxiliary = namedtuple("Auxiliary", ["logits", "aux_logits"])
Named = namedtuple("Named", ["scores", "attentions"])


@dataclass
class Answer:
    pooled: Tensor
    states: Tensor


class WithProperty:
    __slots__ = ()

    @property
    def logits(self) -> Tensor:
        return Z


@pytest.mark.parametrize(
    "result",
    [
        Z,
        (Z,),
        [None, Z, "text"],
        (Z, torch.zeros(2, 4, 4), torch.tensor(0.5)),
        (torch.zeros(2, 3, dtype=torch.long), Z),
        ((Z, torch.zeros(2, 3, 4, 4)),),
        {"scores": Z, "loss": torch.tensor(0.5)},
        {"embedding": E, "logits": Z, "probabilities": P},
        ({"embedding": E, "logits": Z},),
        Auxiliary(Z, P),
        Named(Z, (torch.zeros(2, 4, 9, 9),)),
        SimpleNamespace(hidden=E, logits=Z),
        WithProperty(),
        Answer(Z, torch.zeros(2, 7, 5)),
    ],
    ids=lambda result: type(result).__name__,
)
def test_logits_or_the_only_candidate_count(result: Any) -> None:
    assert output_matrix(result, 2) is Z or output_matrix(result, 2).data_ptr() == Z.data_ptr()


def test_one_number_for_each_image_is_a_candidate() -> None:
    z = torch.zeros(2)
    assert output_matrix((z, torch.zeros(2, 3, 4)), 2) is z


@pytest.mark.parametrize(
    ("result", "candidates"),
    [
        (((Z, P), E), r"0\.0 \[2, 3\], 0\.1 \[2, 3\], 1 \[2, 5\]"),
        ((Z, E), r"0 \[2, 3\], 1 \[2, 5\]"),
        ({"scores": Z, "embedding": E}, r"scores \[2, 3\], embedding \[2, 5\]"),
        ((Z, torch.zeros(2)), r"0 \[2, 3\], 1 \[2\]"),
        (Named(Z, {"a": E}), r"scores \[2, 3\], attentions\.a \[2, 5\]"),
    ],
    ids=["nested", "tuple", "mapping", "policy and value", "named tuple"],
)
def test_of_several_candidates_none_is_guessed(result: Any, candidates: str) -> None:
    with pytest.raises(ModelError, match=rf"expected one tensor .* got {candidates}; name the one to explain with .*output_path="):
        output_matrix(result, 2)


@pytest.mark.parametrize(
    ("result", "path", "expected"),
    [
        (((Z, P), E), "0.0", Z),
        (((Z, P), E), "0.1", P),
        (((Z, P), E), "1", E),
        ({"out": {"logits": Z, "probs": P}}, "out.probs", P),
        (Auxiliary(Z, P), "aux_logits", P),
        (SimpleNamespace(logits=Z, hidden=[P, E]), "hidden.1", E),
    ],
    ids=["0.0", "0.1", "1", "mapping", "named tuple", "object"],
)
def test_a_path_says_which(result: Any, path: str, expected: Tensor) -> None:
    assert output_matrix(result, 2, path) is expected


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("2", r"output_path '2': expected steps to a tensor, got '2' where there is 0, 1; .* are 0\.0 \[2, 3\], 0\.1 .*1 \[2, 5\]"),
        ("0.logits", "got 'logits' where there is 0, 1"),
        ("0", "expected a tensor there, got tuple; the tensors"),
        ("1.0", "got '0' where there is nothing"),
    ],
)
def test_a_path_to_no_tensor_is_refused_with_those_there_are(path: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        output_matrix(((Z, P), E), 2, path)


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features, self.head = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Any:
        e = torch.tanh(self.features(x))
        z = self.head(e)
        return (z, z.softmax(1)), e


def test_the_map_is_that_of_the_tensor_at_the_path_also_of_an_engine() -> None:
    x = torch.rand(2, 4, generator=torch.Generator().manual_seed(0))
    model = Model(Nested(), Bounds.of(0, 1, channels=4), output_path="0.0")
    plain = model.with_(module=nn.Sequential(model.module.features, nn.Tanh(), model.module.head), output_path="")
    expected = Gradient().attribute(plain, x).values
    for found in (model, apply(Plan(fold=True), model, x)):
        assert_close(Gradient().attribute(found, x).values, expected, 1e-6)
    with pytest.raises(ModelError, match=r"got 0\.0 \[\d, 3\], 0\.1 \[\d, 3\], 1 \[\d, 5\]"):
        Gradient().attribute(model.with_(output_path=""), x)
