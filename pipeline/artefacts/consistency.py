"""Content that contradicts itself, whatever its digest says: files of version 1, of other tools, and made by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Int64s
from pipeline.artefacts.remedies import damaged

ROUNDING = 1e-6
"""Guard: how far a share or probability that was rounded on its way may lie outside 0 to 1."""


def check_consistent(kind: str, path: str | Path, expectations: Mapping[str, bool]) -> None:
    """Check what the parts of a file say of each other.

    Parameters
    ----------
    expectations
        Whether each sentence holds; later ones may be False only because an earlier one is.

    Raises
    ------
    ArtefactError
        Naming the first that does not hold.
    """
    for expectation, holds in expectations.items():
        if not holds:
            raise damaged(kind, path, f"it is half-written, damaged or edited: expected {expectation}")


def all_between(values: npt.ArrayLike, low: float, high: float) -> bool:
    """Whether every defined value lies in [low, high]; NaN is not defined and passes."""
    numbers = np.asarray(values, np.float64)
    return bool((np.isnan(numbers) | ((numbers >= low) & (numbers <= high))).all())


def all_shares(values: npt.ArrayLike) -> bool:
    """Whether every defined value is a share or probability."""
    return all_between(values, -ROUNDING, 1 + ROUNDING)


def all_finite(values: npt.ArrayLike) -> bool:
    """Whether every value is a finite number."""
    return bool(np.isfinite(np.asarray(values, np.float64)).all())


def all_distinct(values: npt.NDArray[Any]) -> bool:
    """Whether no value stands twice."""
    return len(np.unique(values)) == len(values)


def are_offsets(offsets: Int64s, n_groups: int, n_items: int) -> bool:
    """Whether ``offsets`` (n_groups + 1,) part ``n_items`` into groups: from 0 upwards to their number."""
    return bool(
        offsets.shape == (n_groups + 1,)
        and offsets[0] == 0
        and offsets[-1] == n_items
        and (np.diff(offsets) >= 0).all()
    )


def are_edges(edge_index: Int64s, n_nodes: int | None) -> bool:
    """Whether ``edge_index`` is (2, E) without self-loops, its ends in [0, n_nodes); None allows any end."""
    if edge_index.ndim != 2 or len(edge_index) != 2:
        return False
    highest = int(edge_index.max(initial=-1))
    inside = int(edge_index.min(initial=0)) >= 0 and (n_nodes is None or highest < n_nodes)
    return inside and not bool((edge_index[0] == edge_index[1]).any())
