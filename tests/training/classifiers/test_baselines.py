import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from pipeline.training.classifiers.baselines import AttentionMIL, CosineGraph, LogisticPooled, SpatialGraph
from pipeline.training.graphs.padded_batches import NodeImage, pack


def edges_of(generator, x, coords):
    batch = pack([NodeImage(torch.tensor(x), torch.tensor(coords), 0)])
    return {tuple(edge) for edge in generator.edges(batch)[0].nonzero().tolist()}, generator.scores(batch)[0][0]


def test_cosine_neighbours_of_four_directions():
    x = [[1.0, 0.0], [2.0, 0.1], [0.0, 1.0], [-0.1, 3.0]]
    edges, scores = edges_of(CosineGraph(1), x, [[0.0, 0.0]] * 4)
    assert edges == {(0, 1), (1, 0), (2, 3), (3, 2)}
    assert scores[0, 1] == pytest.approx(2 / np.hypot(2, 0.1))
    assert scores[0, 2] == 0


def test_spatial_neighbours_on_a_line_are_mutual():
    # Node 2's nearest is node 1, whose nearest is node 0: the edge 1-2 is there all the same.
    edges, scores = edges_of(SpatialGraph(1), [[0.0]] * 3, [[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]])
    assert edges == {(0, 1), (1, 0), (1, 2), (2, 1)}
    assert scores[1, 2] == 1


def test_degree_zero_joins_all():
    edges, _ = edges_of(SpatialGraph(0), [[0.0]] * 3, [[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]])
    assert len(edges) == 6


def test_fixed_graphs_average_their_neighbours(batch):
    weights = CosineGraph(3)(batch)
    real = batch.mask & (batch.mask.sum(dim=1, keepdim=True) > 1)
    torch.testing.assert_close(weights.sum(dim=-1)[:, 0], real.float())


def test_attention_sums_to_one_over_real_nodes(batch):
    model = AttentionMIL(5, 2, width=8, dropout=0.0)
    attention = model.attention(model.nodes(batch.x), batch.mask)
    torch.testing.assert_close(attention.sum(dim=1), torch.ones(4))
    assert not attention[~batch.mask].any()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logistic_regression_is_that_of_scikit_learn(n_classes, random_images):
    images = [
        NodeImage(image.x + position % n_classes, image.coords, position % n_classes)
        for position, image in enumerate(random_images([5, 7, 6] * 8))
    ]
    model = LogisticPooled(5, n_classes)
    model.fit(images, balanced=False)
    pooled = np.stack([np.concatenate([i.x.numpy().mean(axis=0), i.x.numpy().std(axis=0)]) for i in images])
    labels = np.array([image.label for image in images])
    standard = (pooled - pooled.mean(axis=0)) / pooled.std(axis=0)
    expected = LogisticRegression(max_iter=2000).fit(standard, labels).predict_proba(standard)
    found = model(pack(images)).softmax(dim=-1).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=2e-3)
