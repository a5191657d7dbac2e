"""Wrapped: modules that are no plain Python any more, and graphs that are cut, repeated or begun anew."""

import warnings

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.zoo.network import (
    ALL,
    BACKWARD,
    CUT,
    DIFFERENTIATING,
    MAPS,
    NO_LAYER_AT_THE_INPUT,
    NO_PLACES,
    Step,
    awkward,
    convolutional,
    dense,
    head,
    pictures,
    table,
)

UNSEEN = "expected modules whose operations can be seen"


def plain() -> nn.Module:
    """What is wrapped."""
    return convolutional(nn.ReLU())


@awkward("a module compiled by torch.jit.script", refused={(*MAPS, *BACKWARD): UNSEEN}, twin=plain)
def scripted() -> nn.Module:
    return torch.jit.script(plain())


@awkward("a module compiled by torch.jit.trace", refused={(*MAPS, *BACKWARD): UNSEEN}, twin=plain)
def traced() -> nn.Module:
    return torch.jit.trace(plain().eval(), pictures())


@awkward("an exported program", refused={(*MAPS, *BACKWARD): UNSEEN}, twin=plain)
def exported() -> nn.Module:
    any_number = ({0: torch.export.Dim.DYNAMIC},)
    return torch.export.export(plain().eval(), (pictures(),), dynamic_shapes=any_number).module()


@awkward("an exported program for one batch size", refused={ALL: "expected a network for any number of images"})
def exported_for_two() -> nn.Module:
    return torch.export.export(plain().eval(), (pictures(),)).module()


@awkward("a graph of torch.fx")
def fx_graph() -> nn.Module:
    return torch.fx.symbolic_trace(nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), head()))


@awkward("a module compiled by torch.compile", twin=plain, warning="The .grad attribute")
def compiled() -> nn.Module:
    return torch.compile(plain(), backend="eager")


@awkward("a module within `nn.DataParallel`", refused={(*MAPS, *BACKWARD): "got DataParallel; use its .module"})
def data_parallel() -> nn.Module:
    return nn.DataParallel(plain())


class Checkpointed(nn.Module):
    """The middle of the network is computed again in the backward pass."""

    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.stem, self.middle, self.last = nn.Conv2d(3, 6, 3), nn.Sequential(nn.Conv2d(6, 6, 3), nn.ReLU()), head()
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says so where no gradient is wanted
            return self.last(checkpoint(self.middle, self.stem(x), use_reentrant=self.reentrant))


@awkward("checkpoints, which compute a part again in the backward pass")
def checkpointed() -> nn.Module:
    return Checkpointed(reentrant=False)


@awkward("checkpoints of the old kind, which need `backward` and not `grad`")
def checkpointed_by_reentry() -> nn.Module:
    return Checkpointed(reentrant=True)


class Backbone(nn.Module):
    """A backbone that a function wraps, and a head on it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body, self.last = nn.Conv2d(3, 6, 3), nn.Sequential(nn.Conv2d(6, 6, 3), nn.Tanh()), head()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.middle(self.stem(x)))

    def middle(self, h: Tensor) -> Tensor:
        return self.body(h)


@awkward("a backbone without gradients", refused={DIFFERENTIATING: CUT})
class NoGradBackbone(Backbone):
    def middle(self, h: Tensor) -> Tensor:
        with torch.no_grad():
            return self.body(h)


@awkward("a branch that is cut from the graph")
class DetachedBranch(Backbone):
    def middle(self, h: Tensor) -> Tensor:
        return self.body(h).mean((2, 3), keepdim=True) + h.detach()


@awkward("numpy in the forward pass", refused={DIFFERENTIATING: CUT})
class NumpyInside(Backbone):
    def middle(self, h: Tensor) -> Tensor:
        return torch.from_numpy(self.body(h).detach().numpy().copy())


@awkward("a new leaf in the middle of the graph", refused={BACKWARD: "operations that can be followed"}, zero=("gradients",))
class NewLeaf(Backbone):
    def middle(self, h: Tensor) -> Tensor:
        return self.body(h.detach().clone().requires_grad_())


@awkward(
    "forces: the forward pass takes the gradient of an energy",
    table,
    refused={"deep_lift": "expected an operation with a rule", BACKWARD: CUT},
)
class Forces(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.energy, self.last = dense(outputs=1), nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_()
            (force,) = torch.autograd.grad(self.energy(x).sum(), x, create_graph=True)
        return self.last(force)


@awkward("an ensemble by `torch.func.vmap`", table, refused={BACKWARD: "operations that can be followed"})
class Vectorised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(4, 7, 3) / 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.func.vmap(lambda weights: (x @ weights).tanh())(self.weights).mean(0)


@awkward("hooks of the user, one of which changes an activation")
def user_hooks() -> nn.Module:
    network = plain()
    network[0].register_forward_hook(lambda module, args, out: out * 1.5)
    network[2].register_forward_pre_hook(lambda module, args: None)
    return network


@awkward("one convolution that stands in two places")
class SharedLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.shared, self.last = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3, padding=1), head()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.shared(self.shared(self.stem(x).relu()).relu()).relu())


@awkward("layers that are never used, one of them with its own weights", table)
class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleList([dense(), dense(), nn.Conv2d(3, 6, 3)])

    def forward(self, x: Tensor) -> Tensor:
        return self.branches[1](x)


@awkward("layers that took their shape at their first call", table)
def lazy() -> nn.Module:
    network = nn.Sequential(nn.LazyLinear(8), nn.Tanh(), nn.LazyLinear(3))
    network(table())
    return network


@awkward("a dense layer with a correction of low rank", refused={MAPS: NO_PLACES, "deep_taylor": NO_LAYER_AT_THE_INPUT})
class LowRank(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.base, self.down, self.up = (
            Step(lambda x: x.mean(1).flatten(1)),
            nn.Linear(64, 8),
            nn.Linear(64, 2),
            nn.Linear(2, 8),
        )
        self.last = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = x.mean(1).flatten(1)
        return self.last((self.base(h) + 0.5 * self.up(self.down(h))).relu())
