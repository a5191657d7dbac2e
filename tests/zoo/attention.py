"""Attention and recurrence: places that are weighed by one another, or read in turn."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.zoo.network import NO_LAYER_AT_THE_INPUT, NO_OWN_WEIGHTS, awkward, of_shape, signals


class Tokens(nn.Module):
    """Patches of 4 × 4 pixels as tokens of width 8, with tokens of their own before them and a table of positions."""

    def __init__(self, extra: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 4, 4)
        self.extra, self.positions = nn.Parameter(torch.randn(1, extra, 8)), nn.Parameter(torch.randn(1, 4 + extra, 8) / 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        return torch.cat([self.extra.expand(len(x), -1, -1), tokens], 1) + self.positions


def written_out(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention in three operations, for heads of width 4."""
    return (q @ k.transpose(-2, -1) / 2).softmax(-1) @ v


class Attention(nn.Module):
    """Attention of two heads, written out or by the fused function."""

    def __init__(self, *, fused: bool) -> None:
        super().__init__()
        self.project, self.last, self.fused = nn.Linear(8, 24), nn.Linear(8, 8), fused

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.project(x).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        return self.last(
            (F.scaled_dot_product_attention(q, k, v) if self.fused else written_out(q, k, v)).transpose(1, 2).flatten(2)
        )


class Transformer(nn.Module):
    """One block of a vision transformer, read at its first token."""

    def __init__(self, *, extra: int = 1, fused: bool = False) -> None:
        super().__init__()
        self.tokens, self.norm, self.attention = Tokens(extra), nn.LayerNorm(8), Attention(fused=fused)
        self.mix, self.last = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8)), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.tokens(x)
        h = h + self.attention(self.norm(h))
        return self.last((h + self.mix(h))[:, 0])


@awkward("a vision transformer that is read at its class token")
def class_token() -> nn.Module:
    return Transformer()


@awkward("a vision transformer with registers: five tokens have no place")
def registers() -> nn.Module:
    return Transformer(extra=5)


@awkward("attention by the fused function")
def fused_attention() -> nn.Module:
    return Transformer(fused=True)


@awkward("`nn.MultiheadAttention`, which takes a fast path without gradients", refused={"patterns": NO_OWN_WEIGHTS})
class MultiHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.attention, self.last = Tokens(1), nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.tokens(x)
        return self.last((h + self.attention(h, h, h, need_weights=False)[0]).mean(1))


@awkward("`nn.TransformerEncoderLayer`, which takes a fast path without gradients", refused={"patterns": NO_OWN_WEIGHTS})
class EncoderLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.encoder = Tokens(1), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.last = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.encoder(self.tokens(x)).mean(1))


@awkward("an LSTM over time", of_shape(2, 4), refused={"deep_taylor": NO_LAYER_AT_THE_INPUT})
class Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.last = nn.LSTM(2, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.recurrent(x.transpose(1, 2))[0][:, -1])


@awkward(
    "a recurrent unit in both directions over the rows of a picture",
    of_shape(3, 4, 4),
    refused={"deep_taylor": NO_LAYER_AT_THE_INPUT},
)
class GruOfPictures(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.last = nn.GRU(12, 4, batch_first=True, bidirectional=True), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.recurrent(x.permute(0, 2, 1, 3).flatten(2))[0].mean(1))


@awkward("a causal mask of minus infinity", signals, refused={"deep_taylor": NO_LAYER_AT_THE_INPUT})
class CausalMask(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.last = nn.Linear(2, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x.transpose(1, 2))
        later = torch.ones(h.shape[1], h.shape[1], dtype=torch.bool).triu(1)
        return self.last(((h @ h.transpose(1, 2) / 3).masked_fill(later, -torch.inf).softmax(-1) @ h)[:, -1])
