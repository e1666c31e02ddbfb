import math

import torch

from pipeline.training.graphs.generator import NoGraph
from pipeline.training.graphs.image_batches import PaddedBatch


def test_no_graph_has_no_edges_and_nothing_to_learn(images):
    generator = NoGraph()
    generator.start_epoch(3)
    assert math.isnan(generator.tau)
    assert not [*generator.parameters()]
    assert not generator.state_dict()
    graphs = generator.learned_graphs(PaddedBatch.of(images))
    assert [graph.edge_index.shape for graph in graphs] == [(2, 0)] * 4
    assert all(len(graph.weight) == len(graph.kept) == 0 for graph in graphs)


def test_images_are_padded(images):
    batch = NoGraph().batch(images)
    assert torch.equal(batch.mask, PaddedBatch.of(images).mask)
