import math

import pytest
import torch

from pipeline.training.graphs.fixed_graphs import CosineGraph, SpatialGraph
from pipeline.training.graphs.generator import NoGraph
from pipeline.training.graphs.image_batches import PackedBatch, PaddedBatch
from pipeline.training.graphs.metric_generator import Metric, MetricParams
from pipeline.training.graphs.pair_mlp import PairMLP
from tests.watched_kernels import Watched


def test_no_graph_has_no_edges_and_nothing_to_learn(images):
    generator = NoGraph()
    generator.start_epoch(3)
    assert math.isnan(generator.tau)
    assert not [*generator.parameters()]
    assert not generator.state_dict()
    graphs = generator.learned_graphs(PaddedBatch.of(images))
    assert [graph.edge_index.shape for graph in graphs] == [(2, 0)] * 4
    assert all(len(graph.weight) == len(graph.kept) == 0 for graph in graphs)


def test_images_are_padded():
    assert NoGraph().batch_kind is PaddedBatch


METRIC = MetricParams(heads=2, projection=3, temperature=4.0, target_degree=2, spatial_term=True)


@pytest.mark.parametrize(
    ("make", "join"),
    [
        (lambda: Metric(5, METRIC), PaddedBatch),
        (lambda: Metric(5, METRIC), PackedBatch),
        (lambda: PairMLP(5, draws=2), PaddedBatch),
        (lambda: CosineGraph(2, 4), PackedBatch),
        (lambda: SpatialGraph(2, 4), PackedBatch),
    ],
    ids=["metric", "metric of candidates", "pair_mlp", "cosine", "spatial"],
)
def test_a_graph_and_its_gradient_wait_for_nothing_once_images_are_known(make, join, images):
    torch.manual_seed(0)
    generator, batch = make(), join.of(images)
    h = torch.randn(*batch.x.shape[:-1], 4, requires_grad=True)
    generator(batch)
    batch = join.of(images)
    with Watched() as watched:
        generator(batch).messages(h).square().sum().backward()
    assert not watched.waits
    assert not watched.sorts
