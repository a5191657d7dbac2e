import pytest
import torch

from heatproof.core.errors import TensorError
from heatproof.methods import FeatureAblation, GradCam, InputXGradient, IntegratedGradients, Lrp
from heatproof.models.loaders import Loader, MessagePassing
from heatproof.numerics.graphs import pack_graph, unpack_graphs
from heatproof.relevance.composites import LrpEpsilon

SMALL = MessagePassing(nodes=6, features=3, kinds=2, width=8)


def decides_between_two():
    return SMALL.load().with_(class_names=("no", "yes"))


def graph(size: int = 6) -> torch.Tensor:
    """A ring of three nodes with a tail, with both kinds of edges."""
    ends = torch.tensor([[0, 1], [1, 2], [2, 0], [2, 3]])
    return pack_graph(torch.eye(3)[[0, 1, 2, 1]], ends, torch.tensor([0, 1, 0, 1]), 2, size)[None]


def without(x: torch.Tensor, node: int) -> torch.Tensor:
    """The graph without a node and all of its edges, in both directions."""
    nodes, edges = unpack_graphs(x.clone(), 3)
    nodes[..., node] = 0
    edges[..., node] = edges[:, :, node] = 0
    return torch.cat([nodes, edges.flatten(1, 2)], dim=1)


def test_the_formula_of_a_layer_node_by_node():
    model = MessagePassing(nodes=6, features=3, kinds=2, width=4, layers=1).load()
    layer, x = model.module.layers[0], graph()
    nodes, edges = unpack_graphs(x, 3)
    own, sent = layer.own.weight[..., 0], layer.sent.weight[..., 0].view(2, 4, 3)
    total = torch.zeros(4)
    for i in range(6):
        received = [sent[k] @ nodes[0, :, j] * edges[0, k, j, i] for k in range(2) for j in range(6)]
        total = total + (own @ nodes[0, :, i] + sum(received)).relu()
    torch.testing.assert_close(model.outputs(x), (model.module.readout.weight @ total)[None])


def test_null_nodes_change_nothing_and_the_null_graph_scores_zero():
    wide = MessagePassing(nodes=9, features=3, kinds=2, width=8)
    torch.testing.assert_close(SMALL.load().outputs(graph()), wide.load().outputs(graph(9)))
    assert SMALL.load().outputs(torch.zeros(1, 15, 6)).tolist() == [[0]]
    assert MessagePassing(nodes=6, features=3, kinds=2, biases=True).load().outputs(torch.zeros(1, 15, 6)).abs() > 0


def test_to_ablate_a_position_is_to_remove_its_node_with_all_its_edges():
    model = decides_between_two()
    effects = FeatureAblation(groups="pixels", fill="zero").attribute(model, graph(), 1).values.sum(1)[0]
    clean = model.outputs(graph())[0, 0].detach()
    for node in range(6):
        torch.testing.assert_close(effects[node], clean - model.outputs(without(graph(), node))[0, 0].detach())


def test_grad_cam_is_the_class_activation_map_of_the_nodes():
    model = decides_between_two()
    nodes, edges = unpack_graphs(graph(), 3)
    for layer in model.module.layers:
        nodes = layer(nodes, edges)
    expected = (model.module.readout.weight[0, :, None] * nodes[0]).sum(0).detach()
    torch.testing.assert_close(GradCam(relu=False).on_grid(model, graph(), 1)[0, 0], expected)
    torch.testing.assert_close(expected.sum(), model.outputs(graph())[0, 0].detach())


def test_integrated_gradients_from_null_atoms_and_bonds_are_complete():
    attribution = IntegratedGradients(baseline="zero", tolerance=1e-3).attribute(decides_between_two(), graph(), 1)
    assert attribution.gap.item() < 0.01
    torch.testing.assert_close(attribution.expected_sum, decides_between_two().outputs(graph())[:, 0].detach())


def test_relevance_passes_through_messages():
    values = Lrp(composite=LrpEpsilon()).attribute(decides_between_two(), graph(), 1).values
    assert values.isfinite().all()
    assert (values.sum(1) != 0).tolist() == [[True] * 4 + [False] * 2]


def test_graphs_of_other_sizes_are_refused_with_the_remedy():
    with pytest.raises(TensorError, match="pack them with pack_graph"):
        SMALL.load().outputs(torch.zeros(1, 14, 6))
    with pytest.raises(TensorError, match="expected at most 3, got 4; raise `size`"):
        graph(3)
    assert Loader.from_dict(SMALL.to_dict()) == SMALL


def test_a_normalised_network_hardly_depends_on_the_scale_of_a_node_and_leaves_null_nodes_null():
    small = {"nodes": 6, "features": 3, "kinds": 2, "width": 8, "layers": 1}
    plain, normalised = (MessagePassing(normalised=each, **small).load() for each in (False, True))
    x, scaled = graph(), graph()
    scaled[:, :3] *= 5  # edges stay
    torch.testing.assert_close(plain.outputs(scaled), 5 * plain.outputs(x))
    torch.testing.assert_close(normalised.outputs(scaled), normalised.outputs(x), atol=1e-3, rtol=1e-3)
    assert normalised.outputs(torch.zeros(1, 15, 6)).tolist() == [[0]]
    share = [InputXGradient().attribute(each, x, None).values[:, :3].sum() / each.outputs(x).sum() for each in (plain, normalised)]
    assert share[0].item() == pytest.approx(1, abs=1e-4)  # of degree 1 in the nodes, and of degree 0
    assert abs(share[1].item()) < 0.01


def test_a_hidden_layer_follows_the_sum_over_nodes():
    model = MessagePassing(nodes=6, features=3, kinds=2, width=8, hidden=4).load()
    nodes, edges = unpack_graphs(graph(), 3)
    for layer in model.module.layers:
        nodes = layer(nodes, edges)
    first, _, last = model.module.readout
    torch.testing.assert_close(model.outputs(graph()), last(first(nodes.sum(2)).relu()))
