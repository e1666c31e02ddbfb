"""Spectral features of the graph of one tile: Laplacian, normalised Laplacian and adjacency matrix."""

import numpy as np

from pipeline.arrays import Float64s, Int64s

SNAP = 1e-9
"""Guard: eigenvalues nearer than this to 0, 1 or 2 are that number: bounds of the slopes do not hang on rounding."""

SPECTRAL_FEATURE_NAMES = (
    "laplacian_energy",
    "laplacian_trace",
    "upper_slope",
    "lower_slope",
    "adjacency_largest_eigenvalue",
    "adjacency_energy",
)


def spectral_features(n_nodes: int, edges: Int64s) -> Float64s:
    """The six spectral features of one graph.

    Parameters
    ----------
    n_nodes
        Number of nodes, at least 1.
    edges
        int64 (2, 2 m), both directions of m edges between nodes 0 to ``n_nodes`` - 1, none twice.

    Returns
    -------
    numpy.ndarray
        float64 (6,), see ``SPECTRAL_FEATURE_NAMES``: sum of |lambda - 2 m / n| and sum of lambda over the eigenvalues
        lambda of the Laplacian D - A; slopes of the eigenvalues of the normalised Laplacian in [1, 2) and in [0, 1);
        largest eigenvalue of A and sum of the absolute eigenvalues of A.
    """
    adjacency = np.zeros((n_nodes, n_nodes))
    adjacency[edges[0], edges[1]] = 1.0
    degree = adjacency.sum(axis=1)
    scale = 1.0 / np.sqrt(np.maximum(degree, 1.0))
    laplacian = np.linalg.eigvalsh(np.diag(degree) - adjacency)
    normalised = np.linalg.eigvalsh(np.diag(np.minimum(degree, 1.0)) - adjacency * np.outer(scale, scale))
    spectrum = np.linalg.eigvalsh(adjacency)
    return np.array(
        [
            np.abs(laplacian - degree.mean()).sum(),
            degree.sum(),
            slope(normalised, 1.0, 2.0),
            slope(normalised, 0.0, 1.0),
            spectrum[-1],
            np.abs(spectrum).sum(),
        ]
    )


def slope(eigenvalues: Float64s, low: float, high: float) -> float:
    """Least-squares slope against their rank of the ``eigenvalues`` (n,) in [low, high); NaN for fewer than two."""
    whole = np.rint(eigenvalues)
    snapped = np.where(np.abs(eigenvalues - whole) < SNAP, whole, eigenvalues)
    chosen = np.sort(snapped[(snapped >= low) & (snapped < high)])
    if len(chosen) < 2:
        return float("nan")
    rank = np.arange(len(chosen)) - (len(chosen) - 1) / 2
    return float(rank @ chosen / (rank @ rank))
