import torch
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GraphConv, global_mean_pool
from torch_geometric.utils import to_dense_batch, unbatch, unbatch_edge_index

from pipeline.training.graphs.image_batches import PackedBatch, PaddedBatch
from pipeline.training.graphs.metric_generator import Metric, MetricParams
from pipeline.training.graphs.pyg_batches import pyg_batch


def graphs_of(images):
    torch.manual_seed(0)
    learned = Metric(5, MetricParams(heads=2, projection=3, temperature=4.0)).eval()
    with torch.no_grad():
        graphs = learned.learned_graphs(PackedBatch.of(images))
    return [torch.from_numpy(g.edge_index) for g in graphs], [torch.from_numpy(g.weight) for g in graphs]


def test_it_is_the_batch_that_pytorch_geometric_collates(images):
    edge_index, edge_weight = graphs_of(images)
    ours = pyg_batch(PackedBatch.of(images), edge_index, edge_weight)
    theirs = Batch.from_data_list(
        [
            Data(x=i.x, pos=i.coords, y=i.label, edge_index=e, edge_weight=w)
            for i, e, w in zip(images, edge_index, edge_weight, strict=True)
        ]
    )
    assert (ours.num_graphs, ours.num_nodes, ours.num_edges) == (4, 20, theirs.num_edges)
    for name in ("x", "pos", "y", "edge_index", "edge_weight", "batch", "ptr"):
        assert torch.equal(ours[name], theirs[name])


def test_nothing_is_copied(images):
    batch = PackedBatch.of(images)
    assert pyg_batch(batch, *graphs_of(images)).x.data_ptr() == batch.x.data_ptr()


def test_layers_and_utilities_of_pytorch_geometric_take_it(images):
    batch, (edge_index, edge_weight) = PackedBatch.of(images), graphs_of(images)
    graphs = pyg_batch(batch, edge_index, edge_weight)
    out = GraphConv(5, 3)(graphs.x, graphs.edge_index, graphs.edge_weight)
    assert global_mean_pool(out, graphs.batch).shape == (4, 3)
    apart = unbatch_edge_index(graphs.edge_index, graphs.batch, 4)
    assert all(torch.equal(a, b) for a, b in zip(apart, edge_index, strict=True))
    assert torch.equal(unbatch(graphs.x, graphs.batch)[1], images[1].x)
    padded, mask = to_dense_batch(graphs.x, graphs.batch)
    assert torch.equal(padded, PaddedBatch.of(images).x)
    assert torch.equal(mask, PaddedBatch.of(images).mask)
