"""Graphs by chance of the size of a learned one: how much of a metric is size alone."""

import numpy as np

from pipeline.arrays import Float64s
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.interpretation.graph_metrics import METRICS, graph_metrics


def random_graph(graph: LearnedGraph, n_nodes: int, rng: np.random.Generator) -> LearnedGraph:
    """As many kept edges between pairs drawn at random (Erdos and Renyi 1959), with the same weights."""
    once = graph.kept & (graph.edge_index[0] < graph.edge_index[1])
    low, high = np.triu_indices(n_nodes, 1)
    drawn = rng.choice(len(low), int(once.sum()), replace=False)
    pairs = np.stack([low[drawn], high[drawn]])
    weight = rng.permutation(graph.weight[once])
    return LearnedGraph(np.concatenate([pairs, pairs[::-1]], axis=1), np.tile(weight, 2), np.ones(2 * len(drawn), bool))


def excess_metrics(graph: LearnedGraph, n_nodes: int, n_drawn: int, rng: np.random.Generator) -> dict[str, float]:
    """Metrics of a graph less their mean over ``n_drawn`` such graphs by chance, by name; NaN where undefined."""
    own = graph_metrics(graph, n_nodes)
    by_chance = [graph_metrics(random_graph(graph, n_nodes, rng), n_nodes) for _ in range(n_drawn)]
    return {name: own[name] - _defined_mean([one[name] for one in by_chance]) for name in METRICS}


def _defined_mean(values: list[float]) -> float:
    defined: Float64s = np.asarray(values)[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else float("nan")
