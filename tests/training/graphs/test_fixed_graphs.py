from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.nn import SAGEConv
from torch_geometric.utils import contains_self_loops, is_undirected, to_dense_adj, to_undirected

from pipeline.training.classifiers.relational_gcn import RelationalLayer
from pipeline.training.graphs import fixed_graphs as module
from pipeline.training.graphs.fixed_graphs import CosineGraph, SpatialGraph, mutual
from pipeline.training.graphs.image_batches import NodeImage, PackedBatch
from pipeline.training.graphs.lazy_images import LazyImage
from pipeline.training.graphs.message_passing import edge_kernels

# Node 1 is nearest to 0 and 2; node 3 has no neighbour, for its own does not count.
NEAREST = torch.tensor([[1], [0], [1], [3]])
COUNTS = torch.tensor([[True], [True], [True], [False]])
LINE = [[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]]


def edges_of(generator, x, coords):
    edges = generator.edges(NodeImage(torch.tensor(x), torch.tensor(coords), 0))
    return dict(zip(map(tuple, edges.edge_index.T.tolist()), edges.score.tolist(), strict=True))


@pytest.fixture(params=[CosineGraph, SpatialGraph])
def graph(request):
    return request.param


@pytest.fixture
def spread(random_images):
    """Images without ties in their distances."""
    drawn = torch.Generator().manual_seed(4)
    return [replace(i, coords=torch.rand(len(i.x), 2, generator=drawn)) for i in random_images([9, 1, 14, 2])]


def test_cosine_neighbours_of_four_directions():
    x = [[1.0, 0.0], [2.0, 0.1], [0.0, 1.0], [-0.1, 3.0]]
    scores = edges_of(CosineGraph(1, 100), x, [[0.0, 0.0]] * 4)
    assert [*scores] == [(0, 1), (1, 0), (2, 3), (3, 2)]
    assert scores[0, 1] == pytest.approx(2 / np.hypot(2, 0.1))


def test_negative_cosines_score_zero():
    assert edges_of(CosineGraph(1, 100), [[1.0], [-1.0]], [[0.0, 0.0]] * 2) == {(0, 1): 0, (1, 0): 0}


def test_spatial_neighbours_on_a_line_are_mutual():
    # Node 2's nearest is node 1, whose nearest is node 0: the edge 1-2 is there all the same.
    scores = edges_of(SpatialGraph(1, 100), [[0.0]] * 3, LINE)
    assert scores == {(0, 1): 1, (1, 0): 1, (1, 2): 1, (2, 1): 1}


def test_degree_zero_joins_all():
    assert len(edges_of(SpatialGraph(0, 100), [[0.0]] * 3, LINE)) == 6
    assert len(edges_of(SpatialGraph(7, 100), [[0.0]] * 3, LINE)) == 6


def test_one_node_has_no_neighbour(graph):
    assert edges_of(graph(2, 100), [[1.0]], [[0.0, 0.0]]) == {}


def test_comparing_all_and_searching_give_the_same_edges(graph, spread):
    for image in spread:
        compared, searched = (graph(3, limit).edges(image) for limit in (100, 0))
        assert torch.equal(compared.edge_index, searched.edge_index)
        torch.testing.assert_close(compared.score, searched.score)


def test_the_limit_decides_who_is_searched(random_images, monkeypatch):
    (image,) = random_images([9])
    generator = SpatialGraph(3, 9)
    monkeypatch.setattr(generator, "nearest", None)
    generator.edges(image)
    with pytest.raises(TypeError):
        generator.edges(random_images([10])[0])


def test_an_image_is_searched_once(graph, random_images, monkeypatch):
    (image,) = random_images([9])
    generator = graph(3, 100)
    first = generator.edges(image)
    monkeypatch.setattr(generator, "closeness", None)
    assert generator.edges(image) is first
    with pytest.raises(TypeError):
        generator.edges(replace(image))


def test_images_that_find_no_room_are_searched_at_each_use(graph, random_images, monkeypatch):
    generator, images = graph(3, 100), random_images([9, 9])
    expected = [graph(3, 100).edges(image) for image in images]
    monkeypatch.setattr(module, "EDGES_REMEMBERED", len(expected[0].score))
    first, second = (generator.edges(image) for image in images)
    assert generator.edges(images[0]) is first
    again = generator.edges(images[1])
    assert again is not second
    assert torch.equal(again.edge_index, expected[1].edge_index)


def test_an_image_is_not_read_again_for_its_edges(graph, random_images):
    (image,) = random_images([9])
    reads = []
    stored = LazyImage(lambda: reads.append(1) or image.x, image.coords, 0, None)
    batch = PackedBatch.of([stored])
    generator = graph(3, 100)
    generator(batch)
    assert reads == [1]
    assert torch.equal(generator.edges(stored).edge_index, graph(3, 100).edges(image).edge_index)
    assert reads == [1]


def test_graphs_are_undirected_and_without_self_loops(graph, spread):
    for image in spread:
        edge_index = graph(3, 100).edges(image).edge_index
        assert is_undirected(edge_index, num_nodes=len(image.x))
        assert not contains_self_loops(edge_index)


def test_nearest_are_made_mutual_and_none_is_there_twice():
    assert mutual(NEAREST, COUNTS).tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert mutual(torch.tensor([[1], [0]])).tolist() == [[0, 1], [1, 0]]


def test_mutual_edges_are_those_of_pytorch_geometric():
    nearest = torch.randint(0, 30, (30, 4), generator=torch.Generator().manual_seed(0))
    one_way = torch.stack([torch.arange(30).repeat_interleave(4), nearest.flatten()])
    assert torch.equal(mutual(nearest), to_undirected(one_way, num_nodes=30))


def test_messages_are_means_over_the_neighbours_of_the_textbook(graph, spread):
    generator, batch = graph(3, 100), PackedBatch.of(spread)
    adjacency = generator(batch)
    h = torch.randn(26, 4, generator=torch.Generator().manual_seed(0))
    start = 0
    for image in spread:
        n_nodes = len(image.x)
        near = generator.closeness(image).fill_diagonal_(-torch.inf).topk(min(3, n_nodes - 1)).indices
        joined = torch.zeros(n_nodes, n_nodes).scatter(1, near, 1.0)
        joined = ((joined + joined.T) > 0).float()
        degree = joined.sum(dim=1)
        part = slice(start, start + n_nodes)
        expected = joined @ h[part] / degree.clamp_min(1).unsqueeze(1)
        torch.testing.assert_close(adjacency.messages(h)[part], expected)
        assert adjacency.effective_degree()[part].tolist() == degree.tolist()
        start += n_nodes


def test_a_relational_layer_on_a_fixed_graph_is_sage_with_a_residual(spread):
    torch.manual_seed(0)
    adjacency = SpatialGraph(3, 100)(PackedBatch.of(spread))
    layer, sage = RelationalLayer(6, heads=1, dropout=0.0), SAGEConv(6, 6, aggr="mean", flow="target_to_source")
    own, neighbours = layer.linear.weight.chunk(2, dim=1)
    with torch.no_grad():
        sage.lin_r.weight.copy_(own)
        sage.lin_l.weight.copy_(neighbours)
        sage.lin_l.bias.copy_(layer.linear.bias)
    h = torch.randn(26, 6)
    expected = h + torch.relu(layer.norm(sage(h, adjacency.neighbours.edge_index)))
    torch.testing.assert_close(layer(h, adjacency), expected)


def test_images_in_a_batch_stay_apart(graph, spread):
    generator = graph(3, 100)
    edge_index = generator(PackedBatch.of(spread)).neighbours.edge_index
    batch = PackedBatch.of(spread)
    joined = to_dense_adj(edge_index, max_num_nodes=26)[0]
    assert not joined[batch.image_of_node.unsqueeze(1) != batch.image_of_node].any()
    second = generator.edges(spread[2]).edge_index + 10
    assert torch.equal(edge_index[:, (edge_index[0] >= 10) & (edge_index[0] < 24)], second)


def test_where_distances_tie_company_changes_no_neighbour(random_images):
    images = random_images([40, 60])
    place = torch.arange(60)
    grid = [replace(i, coords=torch.stack([place % 7, place // 7], dim=1)[: len(i.x)].float()) for i in images]
    alone, together = (SpatialGraph(8, 100)(PackedBatch.of(some)).neighbours for some in (grid[:1], grid))
    assert torch.equal(alone.edge_index, together.edge_index[:, : alone.edge_index.shape[1]])


def test_kernels_are_those_asked_for(graph, spread):
    h = torch.randn(26, 4, generator=torch.Generator().manual_seed(0))
    own, pyg = (graph(3, 100, edge_kernels(name))(PackedBatch.of(spread)) for name in ("own", "pyg"))
    assert type(own.kernels) is not type(pyg.kernels)
    torch.testing.assert_close(pyg.messages(h), own.messages(h))


def test_rows_sum_to_one_and_need_no_normalisation(spread):
    adjacency = SpatialGraph(3, 100)(PackedBatch.of(spread))
    assert adjacency.symmetrically_normalised() is adjacency
    # All nodes but the one that is alone have neighbours, whose weights sum to 1.
    assert adjacency.mean_weight().item() == pytest.approx(25 / (81 + 1 + 196 + 4))
    assert adjacency.messages(torch.ones(26, 1)).sum() == 25


def test_learned_graphs_are_the_edges_all_kept(graph, spread):
    generator = graph(3, 100)
    for image, learned in zip(spread, generator.learned_graphs(PackedBatch.of(spread)), strict=True):
        edges = generator.edges(image)
        assert learned.edge_index.tolist() == edges.edge_index.tolist()
        assert learned.weight.tolist() == edges.score.tolist()
        assert learned.kept.all()
        assert len(learned.kept) == len(learned.weight)


def test_renumbering_the_nodes_renumbers_the_graph(graph, spread):
    image = spread[2]
    order = torch.randperm(14, generator=torch.Generator().manual_seed(1))
    moved = NodeImage(image.x[order], image.coords[order], 0)
    plain, shuffled = (to_dense_adj(graph(3, 100).edges(i).edge_index)[0] for i in (image, moved))
    assert torch.equal(shuffled, plain[order][:, order])
