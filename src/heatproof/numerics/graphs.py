"""Graphs as signals, so that whatever takes a signal `[b, c, t]` takes a graph.

    x[:f, i]           the features of node i
    x[f + k n + j, i]  1 if an edge of kind k leads from node j to node i, else 0

The n positions are the nodes, and the channels of a node hold its f features and the edges that end there. A map summed over
channels, as every metric and picture sums it, therefore counts each edge for the node that receives it, and a group of values for
each position is one for each node. Zeros are null nodes and null edges: the padding of graphs with fewer nodes, and a baseline.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import TensorError


class UnpackedGraphs(NamedTuple):
    """The node features `[b, f, n]` and edges `[b, k, n, n]` of graphs; `edges[:, k, j, i]` leads from node j to node i."""

    nodes: Float[Tensor, "b f n"]
    edges: Float[Tensor, "b k n n"]


def pack_graph(nodes: Float[Tensor, "m f"], ends: Int[Tensor, "e 2"], kinds: Int[Tensor, " e"], n_kinds: int, size: int) -> Tensor:
    """One graph as a signal `[f + n_kinds · size, size]`, padded with null nodes.

    Args:
        nodes: the features of the m nodes.
        ends: the two nodes of each edge, which is entered in both directions.
        kinds: the kind of each edge, from 0 to n_kinds − 1.
        n_kinds: the number of kinds of edges.
        size: the number of positions, at least m.

    Raises:
        TensorError: There are more nodes than positions.

    >>> import torch
    >>> from heatproof.numerics.graphs import pack_graph, unpack_graphs
    >>> x = pack_graph(torch.eye(2), torch.tensor([[0, 1]]), torch.tensor([0]), n_kinds=1, size=3)
    >>> x.shape
    torch.Size([5, 3])
    >>> unpack_graphs(x[None], features=2).edges[0, 0].tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    m, f = nodes.shape
    if m > size:
        raise TensorError(f"nodes: expected at most {size}, got {m}; raise `size`")
    edges = nodes.new_zeros(n_kinds, size, size)
    for first, second in (ends.unbind(1), ends.flip(1).unbind(1)):
        edges[kinds, first, second] = 1.0
    padded = torch.cat([nodes.T, nodes.new_zeros(f, size - m)], dim=1)
    return torch.cat([padded, edges.flatten(0, 1)])


def unpack_graphs(x: Float[Tensor, "b c n"], features: int) -> UnpackedGraphs:
    """The nodes and edges of packed graphs.

    Raises:
        TensorError: The number of channels is not that of packed graphs.
    """
    size = x.shape[2]
    kinds, rest = divmod(x.shape[1] - features, size)
    if rest or kinds < 1:
        raise TensorError(
            f"graphs: expected {features} + k · {size} channels for {size} nodes and k kinds of edges, got {x.shape[1]}; pack them "
            "with pack_graph"
        )
    return UnpackedGraphs(x[:, :features], x[:, features:].reshape(len(x), kinds, size, size))
