import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.training.classifiers import wikg
from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.classifiers.wikg import HeadTail, KnowledgeAware, gather
from pipeline.training.graphs.image_batches import PaddedBatch
from pipeline.training.methods.presets import METHODS


def made(degree=2, width=4, seed=0):
    torch.manual_seed(seed)
    return HeadTail(5, width=width, degree=degree)


def by_the_paper(head, tail, degree):
    """n_i of each node of one image, loop by loop from the equations."""
    gathered = []
    for h in head:
        omega = torch.stack([h @ t / math.sqrt(len(h)) for t in tail])
        nearest = omega.argsort(descending=True)[:degree]
        alpha = omega[nearest].softmax(dim=0)
        score = torch.stack(
            [tail[j] @ torch.tanh(h + (a * tail[j] + (1 - a) * h)) for j, a in zip(nearest, alpha, strict=True)]
        )
        gathered.append(sum(p * tail[j] for j, p in zip(nearest, score.softmax(dim=0), strict=True)))
    return torch.stack(gathered)


def test_what_a_head_hears_is_that_of_the_equations(images):
    # Images of 6, 9, 1 and 4 nodes: one has fewer than the neighbours wanted.
    adjacency = made(degree=3)(PaddedBatch.of(images))
    expected = [
        by_the_paper(head, tail, 3)
        for head, tail in zip(*(part.split([6, 9, 1, 4]) for part in (adjacency.head, adjacency.tail)), strict=True)
    ]
    torch.testing.assert_close(gather(adjacency), torch.cat(expected))


def test_a_node_is_updated_by_both_interactions(images):
    torch.manual_seed(0)
    batch, generator, classifier = PaddedBatch.of(images[2:3]), made(), KnowledgeAware(2, width=4, dropout=0.0)
    adjacency = generator(batch)
    head, tail = adjacency.head, adjacency.tail
    # One node is its own only neighbour, and the whole image.
    leaky = torch.nn.functional.leaky_relu
    updated = leaky(classifier.of_sum(head + tail)) + leaky(classifier.of_product(head * tail))
    torch.testing.assert_close(classifier(batch, adjacency), classifier.head(classifier.norm(updated)))


def test_heads_and_tails_are_searched_in_blocks_without_a_difference(images, monkeypatch):
    batch, generator = PaddedBatch.of(images), made(degree=3)
    whole = generator(batch)
    monkeypatch.setattr(wikg, "NODES_PER_BLOCK", 2)
    assert torch.equal(generator(batch).neighbours, whole.neighbours)


def test_weights_of_each_head_sum_to_one_and_edges_stay_in_their_image(images):
    adjacency = made(degree=5)(PaddedBatch.of(images))
    torch.testing.assert_close(adjacency.weight.sum(dim=1), torch.ones(20))
    image = torch.arange(4).repeat_interleave(torch.tensor([6, 9, 1, 4]))
    assert (image[adjacency.neighbours] == image.unsqueeze(1))[adjacency.present].all()
    assert adjacency.present.sum(dim=1).tolist() == [5] * 15 + [1] + [4] * 4
    assert not adjacency.weight[~adjacency.present].any()


def test_messages_and_degree_are_those_of_the_weights(images):
    adjacency = made(degree=3)(PaddedBatch.of(images[:1]))
    dense = torch.zeros(6, 6).scatter(1, adjacency.neighbours, adjacency.weight)
    h = torch.randn(6, 2)
    torch.testing.assert_close(adjacency.messages(h), dense @ h)
    torch.testing.assert_close(adjacency.mean_weight(), dense.mean())
    others = dense.fill_diagonal_(0)
    torch.testing.assert_close(adjacency.effective_degree(), others.sum(1) ** 2 / others.square().sum(1))


def test_the_stored_graph_has_both_directions_and_the_mean_of_their_weights(images):
    batch, generator = PaddedBatch.of(images), made(degree=3)
    adjacency = generator(batch)
    graph = generator.learned_graphs(batch)[1]
    alpha = torch.zeros(9, 9).scatter(1, adjacency.neighbours[6:15] - 6, adjacency.weight[6:15]).detach()
    expected = ((alpha + alpha.T) / 2).fill_diagonal_(0).numpy()
    stored = np.zeros((9, 9), np.float32)
    stored[graph.edge_index[0], graph.edge_index[1]] = graph.weight
    np.testing.assert_allclose(stored, expected, atol=1e-6)
    assert graph.kept.all()
    assert graph.edge_index.dtype == np.int64
    assert generator.learned_graphs(batch)[2].edge_index.shape == (2, 0)


@pytest.mark.parametrize("part", ["embed", "to_head", "to_tail"])
def test_the_loss_reaches_the_embeddings(part, images):
    torch.manual_seed(0)
    model = build_model(METHODS["wikg"], 5, 2)
    batch = PaddedBatch.of(images)
    torch.nn.functional.cross_entropy(model(batch), batch.labels).backward()
    assert getattr(model.generator, part).weight.grad.abs().sum() > 0


def test_no_degree_takes_every_node(images):
    settings = replace(METHODS["wikg"].settings, target_degree=0)
    model = build_model(replace(METHODS["wikg"], settings=settings), 5, 2)
    assert model.generator(PaddedBatch.of(images)).present.sum(dim=1).tolist() == [6] * 6 + [9] * 9 + [1] + [4] * 4
