"""Evidence of edges: how much less is said for a class when two patches do not hear each other.

An edge is silenced by the weight 0 in both directions, in every head and graph model; what
else a patch hears keeps its weight.  Small images have each kept edge silenced alone
(occlusion).  In others the effect of all edges together, from no message to the learned
ones, is shared among them by integrated gradients (Sundararajan et al. 2017): their
evidence adds up to what hearing each other changes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from pipeline.arrays import Bools, Float32s, Float64s, Int64s
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.classifiers.image_classifier import ImageClassifier
from pipeline.training.classifiers.pooled_and_graph import PooledAndGraph
from pipeline.training.fitting.inference import ImageNetwork
from pipeline.training.graphs.adjacency import Adjacency, PairAdjacency
from pipeline.training.graphs.candidates import CandidatePairs
from pipeline.training.graphs.image_batches import ImageBatch, NodeImage, PaddedBatch
from pipeline.training.graphs.pairs import AllPairs, Pairs
from pipeline.training.interpretation.log_odds import log_odds

WEIGHTS_SILENCED = 100_000_000
"""Weights, of edges silenced alone x pairs x heads, up to which an image is worth occlusion."""

WEIGHTS_PER_BATCH = 8_000_000
"""Guard on memory: such weights at once."""

NO_GRAPH_PATH = "the graph path was refused: predictions do not use it"
NO_EDGE = "the method has no edge"
OTHER_EDGES = "its edges are not weights of pairs, which alone can be silenced"


@dataclass(frozen=True)
class Silencing:
    """A model whose graphs of one image can be changed.

    Attributes
    ----------
    batch
        The image.
    adjacencies
        Its graph in each graph model.
    logits
        Logits (B, n_classes) of a batch through such graphs.
    temperature
        What its logits are divided by.
    """

    batch: ImageBatch
    adjacencies: Sequence[PairAdjacency]
    logits: Callable[[ImageBatch, Sequence[Adjacency]], Tensor]
    temperature: float = 1.0

    def log_odds(self, batch: ImageBatch, graphs: Sequence[Adjacency]) -> Tensor:
        """Log-odds (B, n_classes) of a batch through such graphs."""
        return log_odds(self.logits(batch, graphs), self.temperature)

    def log_odds_of(self, weights: Sequence[Tensor]) -> Tensor:
        """Log-odds (1, n_classes) of the image with other weights of its pairs, one (*rows, slots) a graph model."""
        graphs = zip(self.adjacencies, weights, strict=True)
        return self.log_odds(self.batch, [replace(graph, weights=weight) for graph, weight in graphs])


@torch.no_grad()
def silencing(network: ImageNetwork, image: NodeImage, temperature: float = 1.0) -> Silencing | str:
    """What can be silenced in an image, or why nothing can."""
    (_, batch), *_ = network.batches([image], 1)
    if isinstance(network, PooledAndGraph) and not network.graph_kept:
        return NO_GRAPH_PATH
    models: Iterable[ImageClassifier] = network.members if isinstance(network, PooledAndGraph) else [network]
    adjacencies = [model.adjacency(batch) for model in models]
    pairs = [adjacency for adjacency in adjacencies if isinstance(adjacency, PairAdjacency)]
    if len(pairs) < len(adjacencies):
        return OTHER_EDGES
    if not any(bool(adjacency.pairs.mask.any()) for adjacency in pairs):
        return NO_EDGE
    return Silencing(batch, pairs, partial(_logits, network), temperature)


def _logits(network: ImageNetwork, batch: ImageBatch, graphs: Sequence[Adjacency]) -> Tensor:
    if isinstance(network, PooledAndGraph):
        return network.through(batch, graphs)
    (graph,) = graphs
    return network.logits(batch, graph)


@torch.no_grad()
def without_edges(silenced: Silencing) -> Tensor:
    """Log-odds (n_classes,) where no patch hears another."""
    return silenced.log_odds_of([_scaled(graph, 0.0) for graph in silenced.adjacencies])[0].cpu()


def is_worth_occlusion(silenced: Silencing, n_edges: int) -> bool:
    """Whether ``n_edges`` edges of an image can be silenced one by one."""
    graphs = silenced.adjacencies
    every_pair = all(isinstance(graph.pairs, AllPairs) for graph in graphs)
    return every_pair and n_edges * sum(graph.weights.numel() for graph in graphs) <= WEIGHTS_SILENCED


@torch.no_grad()
def edges_by_occlusion(silenced: Silencing, graph: LearnedGraph, predicted: int) -> Float32s:
    """Evidence of each kept edge for the class ``predicted``, silenced alone, float32 (E,)."""
    n_nodes = silenced.batch.images[0].n_nodes
    low, high = np.sort(graph.edge_index[:, graph.kept], axis=0)
    pairs, place = np.unique(low * n_nodes + high, return_inverse=True)
    whole = silenced.log_odds_of([adjacency.weights for adjacency in silenced.adjacencies])[0, predicted].cpu()
    ends = np.stack([pairs // n_nodes, pairs % n_nodes])
    copies = _silenced_copies(silenced, ends, np.arange(len(pairs)), len(pairs))
    said = [whole - log_odds[:, predicted] for log_odds in copies]
    evidence = np.zeros(len(graph.weight), np.float32)
    evidence[graph.kept] = torch.cat([torch.zeros(0), *said]).numpy()[place]
    return evidence


@torch.no_grad()
def log_odds_without(silenced: Silencing, edges: Int64s, gone: Sequence[Bools]) -> Tensor:
    """Log-odds (k, n_classes), on the CPU, without those of ``edges`` (2, m) for which each of k masks (m,) is True."""
    if not all(isinstance(graph.pairs, AllPairs) for graph in silenced.adjacencies):
        return torch.cat([silenced.log_odds_of(silenced_weights(silenced, edges[:, out])) for out in gone]).cpu()
    copy, edge = np.nonzero(np.stack(gone))
    return torch.cat([*_silenced_copies(silenced, edges[:, edge], copy, len(gone))])


def edges_by_integrated_gradients(silenced: Silencing, graph: LearnedGraph, predicted: int, steps: int) -> Float32s:
    """Share of each kept edge in what all edges together say for the class ``predicted``, float32 (E,)."""
    totals = [torch.zeros_like(adjacency.weights) for adjacency in silenced.adjacencies]
    for step in range(steps):
        weights = [_scaled(adjacency, (step + 0.5) / steps).requires_grad_() for adjacency in silenced.adjacencies]
        slopes = torch.autograd.grad(silenced.log_odds_of(weights)[0, predicted], weights)
        totals = [total + slope for total, slope in zip(totals, slopes, strict=True)]
    evidence = np.zeros(len(graph.weight))
    for adjacency, total in zip(silenced.adjacencies, totals, strict=True):
        shares = adjacency.weights * adjacency.pairs.mask * total / steps
        evidence += at_edges(adjacency, shares, graph.edge_index)
    return np.asarray(np.where(graph.kept, evidence, 0), np.float32)


def at_edges(adjacency: PairAdjacency, values: Tensor, edge_index: Int64s) -> Float64s:
    """Sum of ``values`` (*rows, slots) of one image over heads and both directions of each edge, float64 (E,)."""
    places = values.nonzero(as_tuple=True)
    *_, source, slot = places
    pairs = adjacency.pairs
    target = pairs.candidates.neighbour[places].long() if isinstance(pairs, CandidatePairs) else slot
    n_nodes = values.shape[-2]
    low, high = np.sort([source.cpu().numpy(), target.cpu().numpy()], axis=0)
    names, place = np.unique(low * n_nodes + high, return_inverse=True)
    sums = np.append(np.bincount(place, values[places].double().cpu().numpy(), len(names)), 0.0)
    low, high = np.sort(edge_index, axis=0)
    wanted = low * n_nodes + high
    found = np.searchsorted(names, wanted)
    is_there = np.append(names, -1)[found] == wanted
    return np.asarray(np.where(is_there, sums[found], 0.0))


@torch.no_grad()
def silenced_weights(silenced: Silencing, edges: Int64s) -> list[Tensor]:
    """Weights (*rows, slots) of each graph model without ``edges`` (2, m), in neither direction."""
    low, high = np.sort(edges, axis=0)
    versions = []
    for adjacency in silenced.adjacencies:
        weights, pairs = adjacency.weights, adjacency.pairs
        n_nodes = weights.shape[-2]
        names = torch.from_numpy(low * n_nodes + high).to(weights.device)
        gone = torch.isin(_names_of_slots(pairs, n_nodes, weights.device), names)
        versions.append(weights.masked_fill(gone, 0.0))
    return versions


def _names_of_slots(pairs: Pairs, n_nodes: int, device: torch.device) -> Tensor:
    """Number of the undirected pair in each slot, int64; broadcasts against (*rows, slots)."""
    source = torch.arange(n_nodes, device=device).unsqueeze(1)
    target = pairs.candidates.neighbour.long() if isinstance(pairs, CandidatePairs) else source.T
    return torch.minimum(source, target) * n_nodes + torch.maximum(source, target)


def _scaled(adjacency: PairAdjacency, factor: float) -> Tensor:
    """Weights with those of pairs of different nodes times ``factor``."""
    weights = adjacency.weights
    return torch.where(adjacency.pairs.mask, factor * weights, weights)


def _silenced_copies(silenced: Silencing, edges: Int64s, copy: Int64s, n_copies: int) -> Iterator[Tensor]:
    """Log-odds (B, n_classes), on the CPU, of ``n_copies`` copies of an image, batch by batch; every pair has a weight.

    Parameters
    ----------
    edges, copy
        Edges (2, m) and the copy (m,), in order, in which each is silenced.
    """
    (image,) = silenced.batch.images
    at_once = max(1, WEIGHTS_PER_BATCH // max(graph.weights.numel() for graph in silenced.adjacencies))
    for first in range(0, n_copies, at_once):
        batch = PaddedBatch.of([image] * min(at_once, n_copies - first))
        here = slice(*np.searchsorted(copy, [first, first + at_once]))
        places = torch.from_numpy(np.stack([copy[here] - first, *edges[:, here]])).to(image.device)
        graphs = [_without(adjacency, batch, places) for adjacency in silenced.adjacencies]
        yield silenced.log_odds(batch, graphs).cpu()


def _without(adjacency: PairAdjacency, batch: PaddedBatch, places: Tensor) -> PairAdjacency:
    """Copies of the graph of one image without edges; ``places`` (3, m) are copy, source and target of each."""
    weights = adjacency.weights.repeat(len(batch.images), 1, 1, 1)
    copy, source, target = places
    weights[copy, :, source, target] = 0
    weights[copy, :, target, source] = 0
    return PairAdjacency(batch.all_pairs, weights)
