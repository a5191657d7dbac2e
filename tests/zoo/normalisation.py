"""Normalisation: activations and weights brought to one size, by numbers that are kept or that come from the input."""

import torch
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from tests.zoo.network import NO_OWN_WEIGHTS, Step, awkward, convolutional, dense, head, signals, table


@awkward("batch normalisation, then tokens, then their mean: the gradient comes back with strides of zero", affine=True)
def batch_norm_to_tokens() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), Step(lambda h: h.flatten(2).transpose(1, 2).mean(1)), nn.Linear(6, 3)
    )


@awkward("batch normalisation before the first layer, where nothing could fold it", affine=True)
def batch_norm_first() -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6, affine=False), head())


@awkward("batch normalisation of signals", signals)
def batch_norm_of_signals() -> nn.Module:
    return nn.Sequential(nn.Conv1d(2, 6, 3), nn.BatchNorm1d(6), nn.ReLU(), nn.Flatten(), nn.Linear(42, 3))


@awkward("normalisation over groups of channels")
def group_norm() -> nn.Module:
    return convolutional(nn.GroupNorm(2, 6), nn.ReLU())


@awkward("normalisation of each channel of each image")
def instance_norm() -> nn.Module:
    return convolutional(nn.InstanceNorm2d(6, affine=True), nn.ReLU())


@awkward("normalisation over channels, which an axis swap brings last")
def layer_norm() -> nn.Module:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(6)

        def forward(self, h: torch.Tensor) -> torch.Tensor:
            return self.norm(h.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    return convolutional(Last(), nn.ReLU())


@awkward("normalisation by the mean square, written out", table)
def root_mean_square_norm() -> nn.Module:
    return dense(lambda z: z * (z.square().mean(1, keepdim=True) + 1e-6).rsqrt())


@awkward("local response normalisation")
def response_norm() -> nn.Module:
    return convolutional(nn.LocalResponseNorm(3), nn.ReLU())


@awkward("normalisation to unit length", table)
def unit_length() -> nn.Module:
    return dense(lambda z: nn.functional.normalize(z, dim=1))


@awkward("weight normalisation, the old way: a hook computes the weight", table, refused={"patterns": NO_OWN_WEIGHTS})
def weight_norm_by_hook() -> nn.Module:
    return nn.Sequential(weight_norm(nn.Linear(7, 8)), nn.ReLU(), weight_norm(nn.Linear(8, 3)))


@awkward("weight normalisation, the new way: a parametrisation computes the weight", table, refused={"patterns": NO_OWN_WEIGHTS})
def weight_norm_parametrised() -> nn.Module:
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(7, 8)), nn.ReLU(), nn.Linear(8, 3))


@awkward("spectral normalisation, which keeps vectors of its own", table, refused={"patterns": NO_OWN_WEIGHTS})
def spectral() -> nn.Module:
    return nn.Sequential(spectral_norm(nn.Linear(7, 8)), nn.ReLU(), parametrizations.spectral_norm(nn.Linear(8, 3)))


@awkward("a pruned layer: its weight is a product with a mask", table, refused={"patterns": NO_OWN_WEIGHTS})
def pruned() -> nn.Module:
    return nn.Sequential(prune.l1_unstructured(nn.Linear(7, 8), "weight", 0.5), nn.ReLU(), nn.Linear(8, 3))
