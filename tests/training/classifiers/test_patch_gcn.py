import torch

from pipeline.training.classifiers.patch_gcn import GRAPH_LAYERS, PatchGCN
from pipeline.training.graphs.fixed_graphs import SpatialGraph
from pipeline.training.graphs.image_batches import NodeImage, PackedBatch


def row(n_nodes):
    """Patches in a row, each near those beside it."""
    torch.manual_seed(1)
    coords = torch.stack([torch.arange(float(n_nodes)), torch.zeros(n_nodes)], dim=1)
    return NodeImage(torch.randn(n_nodes, 5), coords, 0)


def made():
    torch.manual_seed(0)
    return PatchGCN(5, 3, width=8, dropout=0.0).eval()


def reached(model, image, changed):
    """Nodes whose deepest layer moves when node ``changed`` does."""
    edges = SpatialGraph(degree=1, dense_limit=100)(PackedBatch.of([image])).neighbours.edge_index
    moved = image.x.clone()
    moved[changed] += 1

    def deepest(x):
        h = model.embed(x)
        for layer in model.layers:
            h = layer(h, edges)
        return h

    return (deepest(image.x) != deepest(moved)).any(dim=1)


def test_messages_reach_as_far_as_there_are_layers():
    # Neighbours at distance 1 and 2 alternate in a row where ties go to one side; a chain of three steps is bounded.
    moved = reached(made(), row(12), 0)
    assert moved[0]
    assert moved[1]
    assert not moved[2 * GRAPH_LAYERS + 1 :].any()


def test_logits_depend_on_where_patches_are():
    model, image = made(), row(10)
    graph = SpatialGraph(degree=2, dense_limit=100)
    shuffled = NodeImage(image.x, image.coords[torch.tensor([9, 1, 7, 3, 5, 4, 6, 2, 8, 0])], 0)
    here, elsewhere = (model(PackedBatch.of([i]), graph(PackedBatch.of([i]))) for i in (image, shuffled))
    assert here.shape == (1, 3)
    assert not torch.allclose(here, elsewhere)
