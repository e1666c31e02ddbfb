"""Which types of cells a patch has, and which of them are joined in its cell graph more often than by chance.

Chance is the random label: the types of the patch's nuclei exchanged among them in every possible way, the graph held
as it is.  Mean and variance of the number of edges that join two types are taken over all these permutations exactly,
by the moments of join counts (Cliff and Ord 1981, *Spatial Processes*, chapter 1, without replacement), which random
permutations approach; so nothing is drawn and nothing depends on the order of nuclei.

Below, N is the number of nuclei of listed types, n_a that of type a, m the number of edges among them, S that of pairs
of edges that share a nucleus and D that of pairs that share none; (n)_k = n (n - 1) ... (n - k + 1).
"""

from collections import Counter
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.arrays import Float64s, Int64s
from pipeline.artefacts.nuclei import TYPE
from pipeline.cellgraph.graphs.csr import offsets_of_tiles, segment_sum
from pipeline.cellgraph.graphs.simple_graph import simple_graphs
from pipeline.errors import ConfigError
from pipeline.logs import get_logger

LOG = get_logger("features")

NO_SPREAD = 1e-12
"""Guard: a variance below this share of the squared mean, or of 1, is rounding."""


def cell_type_feature_names(types: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the features of ``types``: 2 + 2 k + k (k + 1) / 2 for k types."""
    pairs = combinations_with_replacement(types, 2)
    return (
        "cell_types_known_share",
        *(f"cell_types_{name}_count" for name in types),
        *(f"cell_types_{name}_share" for name in types),
        "cell_types_entropy",
        *(f"cell_types_{one}_{other}_enrichment" for one, other in pairs),
    )


def check_types(nuclei: pd.DataFrame, listed: tuple[str, ...], path: str | Path) -> None:
    """Warn of types that nuclei have and ``listed`` has not.

    Raises
    ------
    ConfigError
        If nuclei of the table at ``path`` have types and none of these is listed.
    """
    if TYPE not in nuclei:
        return
    counts = Counter(name for name in nuclei[TYPE] if name is not None)
    others = {name: count for name, count in counts.most_common() if name not in listed}
    words = ", ".join(f"{name} ({count})" for name, count in others.items())
    if counts and len(others) == len(counts):
        raise ConfigError(
            f"{path}: features.cell_types: expected types that the nuclei have, found {', '.join(listed)}; they have "
            f"{words}. List the types of the cohort."
        )
    if others:
        LOG.warning("%s: types that features.cell_types does not list have no part in its features: %s", path, words)


def cell_type_features(type_index: npt.ArrayLike, edge_index: npt.ArrayLike, n_types: int) -> Float64s:
    """Cell type features of the nuclei of one patch; see ``cell_type_features_batch``.

    Returns
    -------
    numpy.ndarray
        float64 (2 + 2 k + k (k + 1) / 2,).
    """
    types = np.asarray(type_index, np.int64)
    features: Float64s = cell_type_features_batch(types, edge_index, np.array([0, len(types)]), n_types)[0]
    return features


def cell_type_features_batch(
    type_index: npt.ArrayLike, edge_index: npt.ArrayLike, node_offsets: npt.ArrayLike, n_types: int
) -> Float64s:
    """Cell type features of the nuclei of many patches.

    Parameters
    ----------
    type_index
        int (n,), type 0 to k - 1 of each nucleus, grouped by patch; -1 of one whose type is unknown or not listed,
        which has a part in the first feature alone.
    edge_index
        int (2, n_edges), the cell graph over all nuclei, in one direction or both; repeats and self-loops do not count.
    node_offsets
        int (n_patches + 1,).
    n_types
        k.

    Returns
    -------
    numpy.ndarray
        float64 (n_patches, 2 + 2 k + k (k + 1) / 2): share of nuclei of a listed type; number of each type; its share
        of those; entropy of the shares over log k, 0 to 1; and for each pair of types a, b with a <= b the *enrichment*
        ``(J - mean) / SD`` of the number J of edges that join them.  NaN where undefined: shares without a nucleus, an
        enrichment whose J is the same for all permutations.

    Raises
    ------
    ValueError
        If shapes do not fit each other, or an edge names a nucleus that is not there or leaves its patch.
    """
    types = np.asarray(type_index, np.int64)
    graphs = simple_graphs(node_offsets, edge_index)
    if len(types) != len(graphs.tile):
        raise ValueError(f"expected a type per nucleus, found {len(types)} for {len(graphs.tile)} nuclei.")
    n_patches = len(graphs.node_offsets) - 1
    known = types >= 0
    flat = graphs.tile[known] * n_types + types[known]
    counts = np.bincount(flat, minlength=n_patches * n_types).reshape(n_patches, n_types).astype(np.float64)
    n_nuclei, n_known = np.diff(graphs.node_offsets), counts.sum(axis=1)
    shares = counts / np.where(n_known > 0, n_known, np.nan)[:, None]
    inside = graphs.edges[:, known[graphs.edges].all(axis=0) & (graphs.edges[0] < graphs.edges[1])]
    columns = [n_known / np.where(n_nuclei > 0, n_nuclei, np.nan), counts, shares, _entropy(shares)]
    enrichments = _enrichments(types, graphs.tile, inside, counts)
    return np.column_stack([*columns, enrichments])


def _entropy(shares: Float64s) -> Float64s:
    """Entropy of the shares (n_patches, k) over log k; 0 for one type."""
    terms = np.where(shares > 0, shares * np.log(np.where(shares > 0, shares, 1.0)), 0.0)
    disorder = -terms.sum(axis=1) / (np.log(shares.shape[1]) if shares.shape[1] > 1 else 1.0)
    return np.where(np.isnan(shares).any(axis=1), np.nan, disorder + 0.0)


def _enrichments(types: Int64s, tile: Int64s, edges: Int64s, counts: Float64s) -> Float64s:
    """Enrichment of each pair of types, (n_patches, k (k + 1) / 2); ``edges`` in one direction."""
    n_patches, n_types = counts.shape
    low, high = np.sort(types[edges], axis=0)
    flat = (tile[edges[0]] * n_types + low) * n_types + high
    joined = np.bincount(flat, minlength=n_patches * n_types**2).reshape(n_patches, n_types, n_types)
    n_edges = joined.sum(axis=(1, 2)).astype(np.float64)
    degree = np.bincount(edges.ravel(), minlength=len(types)).astype(np.float64)
    sharing = segment_sum(degree * (degree - 1) / 2, offsets_of_tiles(tile, n_patches))
    apart = n_edges * (n_edges - 1) / 2 - sharing
    n_all = counts.sum(axis=1)
    columns = []
    for one, other in combinations_with_replacement(range(n_types), 2):
        two, three, four = _chances(counts[:, one], counts[:, other], n_all, is_one_type=one == other)
        mean = n_edges * two
        variance = n_edges * two + 2 * sharing * three + 2 * apart * four - mean**2
        is_fixed = variance <= NO_SPREAD * np.maximum(mean**2, 1.0)
        spread = np.sqrt(np.where(is_fixed, np.nan, variance))
        columns.append((joined[:, one, other] - mean) / spread)
    return np.stack(columns, axis=1)


def _chances(a: Float64s, b: Float64s, n: Float64s, *, is_one_type: bool) -> tuple[Float64s, Float64s, Float64s]:
    """Chance that one edge, two that share a nucleus, and two that share none join types of ``a`` and ``b`` nuclei."""
    if is_one_type:
        ways = _falling(a, 2), _falling(a, 3), _falling(a, 4)
    else:
        ways = 2 * a * b, a * b * (a + b - 2), 4 * _falling(a, 2) * _falling(b, 2)
    # Fewer nuclei than there are ends make no such edges.
    two, three, four = (way / np.maximum(_falling(n, k), 1.0) for k, way in enumerate(ways, start=2))
    return two, three, four


def _falling(n: Float64s, k: int) -> Float64s:
    """(n)_k = n (n - 1) ... (n - k + 1), 0 for n < k."""
    product = np.ones_like(n)
    for step in range(k):
        product = product * np.maximum(n - step, 0.0)
    return product
