"""Thirty-seven metrics of the learned graph of an image, kept edges without weights but for three.

The published analysis (Paul et al. 2025, arXiv 2510.13188) compares as many by class:
density, degree, clustering, components, path lengths, efficiency, spectra, cores,
modularity, entropies.  Names and definitions here are our own, in the order of
``METRICS``; distances are hops, over pairs that are connected.
"""

import math
from collections.abc import Iterator

import numpy as np
from scipy.sparse.csgraph import connected_components, shortest_path

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.artefacts.learned_graphs import LearnedGraph

MOST_NODES = 1000
"""Nodes up to which paths, spectra and modules are worth their time; they are NaN beyond."""

METRICS = (
    *("n_nodes", "n_edges", "density", "degree_mean", "degree_sd", "degree_min", "degree_max", "degree_entropy"),
    *("degree_assortativity", "isolated_share", "clustering_mean", "transitivity", "n_triangles"),
    *("n_components", "giant_component_share", "core_max", "core_mean"),
    *("path_length_mean", "diameter", "radius", "eccentricity_mean", "central_share", "closeness_mean"),
    *("efficiency_global", "efficiency_local", "betweenness_mean", "betweenness_max"),
    *("algebraic_connectivity", "spectral_radius", "graph_energy", "laplacian_energy"),
    *("spectral_slope_lower", "spectral_slope_upper", "modularity"),
    *("weight_mean", "weight_sd", "weight_entropy"),
)
"""Names, in order.  ``central_share`` is the share of nodes whose eccentricity is the radius."""


def graph_metrics(graph: LearnedGraph, n_nodes: int) -> dict[str, float]:
    """Metrics of one graph by name; NaN where undefined."""
    joined = np.zeros((n_nodes, n_nodes), np.bool_)
    source, target = graph.edge_index[:, graph.kept]
    joined[source, target] = joined[target, source] = True
    once = graph.kept & (graph.edge_index[0] < graph.edge_index[1])
    return metrics_of(joined, graph.weight[once].astype(np.float64))


def metrics_of(joined: Bools, weight: Float64s) -> dict[str, float]:
    """Metrics of a graph by name.

    Parameters
    ----------
    joined
        bool (n, n), symmetric, its diagonal False.
    weight
        float64 (m,), of each pair that is joined.
    """
    values = dict.fromkeys(METRICS, math.nan)
    values.update(_degrees(joined), **_triangles(joined), **_components(joined), **_cores(joined))
    values.update(weight_mean=_mean(weight), weight_sd=_sd(weight), weight_entropy=_entropy(weight))
    if 1 < len(joined) <= MOST_NODES:
        values.update(_paths(joined), **_spectra(joined), modularity=modularity(joined))
    return {name: float(values[name]) for name in METRICS}


def _mean(values: Float64s | Int64s) -> float:
    return float(values.mean()) if len(values) else math.nan


def _sd(values: Float64s) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _entropy(weights: Float64s) -> float:
    """Entropy in nats of shares proportional to ``weights``."""
    shares = weights[weights > 0] / max(weights.sum(), np.finfo(float).tiny)
    return float(-(shares * np.log(shares)).sum()) if len(shares) else math.nan


def _degrees(joined: Bools) -> dict[str, float]:
    n, degree = len(joined), joined.sum(axis=1)
    n_edges = degree.sum() / 2
    source, target = joined.nonzero()
    ends = degree[source], degree[target]
    varies = len(source) > 0 and np.ptp(ends[0]) > 0
    return {
        "n_nodes": n,
        "n_edges": n_edges,
        "density": 2 * n_edges / (n * (n - 1)) if n > 1 else math.nan,
        "degree_mean": _mean(degree),
        "degree_sd": _sd(degree),
        "degree_min": degree.min() if n else math.nan,
        "degree_max": degree.max() if n else math.nan,
        "degree_entropy": _entropy(np.bincount(degree).astype(np.float64)) if n else math.nan,
        "degree_assortativity": float(np.corrcoef(*ends)[0, 1]) if varies else math.nan,
        "isolated_share": float((degree == 0).mean()) if n else math.nan,
    }


def _triangles(joined: Bools) -> dict[str, float]:
    """Clustering of each node (Watts and Strogatz 1998), 0 below two neighbours, and transitivity."""
    a, degree = joined.astype(np.float32), joined.sum(axis=1)
    closed = ((a @ a) * a).sum(axis=1).astype(np.float64)
    wedges = degree * (degree - 1)
    clustering = np.divide(closed, wedges, out=np.zeros(len(a)), where=wedges > 0)
    return {
        "clustering_mean": _mean(clustering),
        "transitivity": closed.sum() / wedges.sum() if wedges.sum() else math.nan,
        "n_triangles": closed.sum() / 6,
    }


def _components(joined: Bools) -> dict[str, float]:
    n_components, component = connected_components(joined, directed=False)
    largest = np.bincount(component).max() if len(joined) else math.nan
    return {"n_components": n_components, "giant_component_share": largest / len(joined) if len(joined) else math.nan}


def _cores(joined: Bools) -> dict[str, float]:
    """Core numbers: the largest k such that a node lies in a part whose nodes all have k neighbours there."""
    core = np.zeros(len(joined), np.int64)
    left, k = np.ones(len(joined), np.bool_), 0
    while left.any():
        degree = joined[:, left].sum(axis=1)
        going = left & (degree <= k)
        if going.any():
            core[going] = k
            left &= ~going
        else:
            k = int(degree[left].min())
    return {"core_max": core.max() if len(core) else math.nan, "core_mean": _mean(core)}


def _paths(joined: Bools) -> dict[str, float]:
    n = len(joined)
    hops = shortest_path(joined, unweighted=True, directed=False)
    reached = np.isfinite(hops) & ~np.eye(n, dtype=np.bool_)
    eccentricity = np.where(reached, hops, 0).max(axis=1)
    inverse = np.divide(1.0, hops, out=np.zeros_like(hops), where=reached)
    total = np.where(reached, hops, 0).sum(axis=1)
    n_reached = reached.sum(axis=1)
    # Wasserman and Faust 1994: the inverse mean distance, times the share of others that are reached.
    closeness = np.divide(n_reached**2, total * (n - 1), out=np.zeros(n), where=total > 0)
    between = betweenness(joined, hops)
    return {
        "path_length_mean": hops[reached].mean() if reached.any() else math.nan,
        "diameter": eccentricity.max(),
        "radius": eccentricity.min(),
        "eccentricity_mean": eccentricity.mean(),
        "central_share": float((eccentricity == eccentricity.min()).mean()),
        "closeness_mean": closeness.mean(),
        "efficiency_global": inverse.sum() / (n * (n - 1)),
        "efficiency_local": float(np.mean([_efficiency(joined, node) for node in range(n)])),
        "betweenness_mean": between.mean(),
        "betweenness_max": between.max(),
    }


def _efficiency(joined: Bools, node: int) -> float:
    """Mean inverse distance among the neighbours of a node, by paths among them (Latora and Marchiori 2001)."""
    neighbours = joined[node].nonzero()[0]
    n = len(neighbours)
    if n < 2:
        return 0.0
    hops = shortest_path(joined[np.ix_(neighbours, neighbours)], unweighted=True, directed=False)
    np.fill_diagonal(hops, np.inf)
    return float((1 / hops).sum() / (n * (n - 1)))


def betweenness(joined: Bools, hops: Float64s) -> Float64s:
    """Share of the shortest paths of other pairs that run through each node, float64 (n,) (Brandes 2001).

    All sources at once, one product of matrices a distance.
    """
    n, a = len(joined), joined.astype(np.float64)
    steps = range(1, int(np.max(hops, where=np.isfinite(hops), initial=0)) + 1)
    n_paths = np.eye(n)
    for step in steps:
        n_paths += (n_paths * (hops == step - 1)) @ a * (hops == step)
    dependency = np.zeros((n, n))
    safe = np.where(n_paths > 0, n_paths, 1)
    for step in reversed(steps):
        share = (1 + dependency) / safe * (hops == step)
        dependency += share @ a * n_paths * (hops == step - 1)
    np.fill_diagonal(dependency, 0)
    return np.asarray(dependency.sum(axis=0) / max((n - 1) * (n - 2), 1))


def _spectra(joined: Bools) -> dict[str, float]:
    n, degree = len(joined), joined.sum(axis=1).astype(np.float64)
    adjacency = np.linalg.eigvalsh(joined.astype(np.float64))
    laplacian = np.linalg.eigvalsh(np.diag(degree) - joined)
    root = np.divide(1.0, np.sqrt(degree), out=np.zeros(n), where=degree > 0)
    normalised = np.linalg.eigvalsh(np.diag((degree > 0).astype(np.float64)) - root[:, None] * joined * root)
    return {
        "algebraic_connectivity": max(laplacian[1], 0.0),
        "spectral_radius": adjacency[-1],
        "graph_energy": np.abs(adjacency).sum(),
        "laplacian_energy": np.abs(laplacian - degree.mean()).sum(),
        "spectral_slope_lower": _slope(normalised[normalised < 1]),
        "spectral_slope_upper": _slope(normalised[normalised >= 1]),
    }


def _slope(values: Float64s) -> float:
    """Least-squares slope of sorted values against their index; NaN below two."""
    return float(np.polyfit(np.arange(len(values)), np.sort(values), 1)[0]) if len(values) > 1 else math.nan


def modularity(joined: Bools) -> float:
    """Modularity of the modules that splitting by leading eigenvectors finds (Newman 2006); NaN without edges."""
    degree = joined.sum(axis=1).astype(np.float64)
    total = degree.sum()
    if not total:
        return math.nan
    excess = joined - np.outer(degree, degree) / total
    modules = list(_modules(excess, np.arange(len(joined))))
    return float(sum(excess[np.ix_(module, module)].sum() for module in modules) / total)


def _modules(excess: Float64s, nodes: Int64s) -> Iterator[Int64s]:
    inside = excess[np.ix_(nodes, nodes)]
    inside = inside - np.diag(inside.sum(axis=1))
    sign = np.linalg.eigh(inside)[1][:, -1] > 0
    signs = np.where(sign, 1.0, -1.0)
    if sign.all() or not sign.any() or signs @ inside @ signs <= 1e-9:
        yield nodes
        return
    yield from _modules(excess, nodes[sign])
    yield from _modules(excess, nodes[~sign])
