"""A network of graphs by messages along edges, with random weights, for training.

    h⁰_i = node features,    h^(l+1)_i = ReLU(W_l h^l_i + Σ_k Σ_(j →k i) V_(l,k) h^l_j),    z = w Σ_i h^L_i

j →k i is an edge of kind k from node j to node i. By default nothing has a bias, so that the null node stays null through all
layers: padding needs no mask, the null graph scores zero (even odds), and to remove the values of a node from the input is to
remove the node. A node with features that sum to 1 carries the constant itself, so that no function of real nodes is lost. The
last step is linear in the activations of the nodes, as class activation maps require.

Source: Gilmer et al., "Neural message passing for quantum chemistry", ICML 2017; as benchmark of attributions, Sanchez-Lengeling et
al., "Evaluating attribution for graph neural networks", NeurIPS 2020. Differs from these because biases are optional, because a sum
takes the place of the set-to-set readout, and because null graphs score even odds without biases, where the benchmark adds null
graphs with either label to the training set.
"""

import itertools

from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.construction import seeded
from heatproof.models.model import Model
from heatproof.numerics.bounds import Bounds
from heatproof.numerics.graphs import unpack_graphs


class MessageLayer(nn.Module):
    """One exchange of messages: every node receives a linear map of its neighbours, another for each kind of edge, and of
    itself.
    """

    def __init__(self, inputs: int, outputs: int, kinds: int, *, biases: bool, normalised: bool) -> None:
        super().__init__()
        self.own = nn.Conv1d(inputs, outputs, 1, bias=biases)
        self.sent = nn.Conv1d(inputs, outputs * kinds, 1, bias=False)
        self.kinds = kinds
        self.relu = nn.ReLU()
        self.norm = nn.LayerNorm(outputs, elementwise_affine=False) if normalised else None

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        """The new activations `[b, k, n]` of the nodes."""
        sent = self.sent(nodes).unflatten(1, (self.kinds, -1))  # [b, kinds, k, n]
        received: Tensor = sent @ edges  # over the node that sends
        activation: Tensor = self.relu(self.own(nodes) + received.sum(1))
        return activation if self.norm is None else self.norm(activation.transpose(1, 2)).transpose(1, 2)


class MessagePassingNetwork(nn.Module):
    """Layers of messages, a sum over nodes, and dense layers to the outputs."""

    def __init__(self, settings: "MessagePassing") -> None:
        super().__init__()
        self.features = settings.features
        widths = [settings.features, *[settings.width] * settings.layers]
        self.layers = nn.ModuleList(
            MessageLayer(before, after, settings.kinds, biases=settings.biases, normalised=settings.normalised)
            for before, after in itertools.pairwise(widths)
        )
        if settings.hidden:
            dense = nn.Linear(settings.width, settings.hidden), nn.ReLU(), nn.Linear(settings.hidden, settings.outputs)
            self.readout: nn.Module = nn.Sequential(*dense)
        else:
            self.readout = nn.Linear(settings.width, settings.outputs, bias=settings.biases)

    def forward(self, graphs: Tensor) -> Tensor:
        """The outputs `[b, outputs]` of packed graphs."""
        nodes, edges = unpack_graphs(graphs, self.features)
        for layer in self.layers:
            nodes = layer(nodes, edges)
        result: Tensor = self.readout(nodes.sum(2))
        return result


class MessagePassing(Loader):
    """A network of graphs that are packed as signals (see `numerics/graphs.py`), with weights drawn from `seed`.

    nodes     the number of positions of a graph, null nodes included.
    features  the number of features of a node; the default is that of molecules.
    kinds     the number of kinds of edges; the default is that of molecules.
    width     the number of channels of a layer.
    layers    the number of layers: how many edges away a node can see.
    biases    whether layers and readout have biases; null nodes are then no longer silent, and the null graph may score anything.
    hidden    the number of units of a dense layer, with biases, between the sum and the outputs, which can tell "both of two
              fragments" from "two of one"; 0 for none. The last step is then no longer linear in the activations of the nodes.
    normalised  whether each layer is followed by layer normalisation, without weights. The network then hardly depends on the scale
              of its input, so that gradient times input sums to almost nothing.
    outputs   the number of outputs; one is the log-odds of class 1, or a quantity.
    seed      the seed of the weights.

    >>> import torch
    >>> from heatproof.models.loaders import MessagePassing
    >>> model = MessagePassing(nodes=8).load()
    >>> model.outputs(torch.zeros(2, 14 + 4 * 8, 8)).tolist()
    [[0.0], [0.0]]
    """

    nodes: PositiveInt = 32
    features: PositiveInt = 14
    kinds: PositiveInt = 4
    width: PositiveInt = 48
    layers: PositiveInt = 3
    biases: bool = False
    hidden: NonNegativeInt = 0
    normalised: bool = False
    outputs: PositiveInt = 1
    seed: NonNegativeInt = 0

    @property
    def heading(self) -> str:
        return f"{self.name}, normalised," if self.normalised else self.name

    @property
    def random(self) -> bool:
        return True

    def load(self) -> Model:
        with seeded(self.seed):
            network = MessagePassingNetwork(self)
        bounds = Bounds.of(0, 1, channels=self.features + self.kinds * self.nodes)
        return Model(network.eval(), bounds, name=f"{self.name} (random weights)")
