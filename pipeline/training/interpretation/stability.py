"""Whether other trainings would have learned the same graph of an image."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artefacts.interpretation import FOLDS, MEMBERS, SEEDS, TABLES
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.interpretation.graph_agreement import LEAST_CORRELATION, agreement

Named = Sequence[tuple[str, LearnedGraph]]
"""Graphs of one image, each by the name of what made it."""


def comparisons(slide_id: str, between: str, graphs: Named, n_nodes: int) -> Iterator[dict[str, Any]]:
    """Rows of the table ``stability``: every two graphs of one image."""
    for (one, first), (other, second) in combinations(graphs, 2):
        found = asdict(agreement(first, second, n_nodes))
        yield {"slide_id": slide_id, "between": between, "one": one, "other": other, **found}


def stability_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The table, also without a row."""
    return pd.DataFrame(list(rows), columns=list(TABLES["stability"]))


def stability_means(table: pd.DataFrame) -> dict[str, dict[str, float | int | None]]:
    """Means by what is compared, in the order of MEMBERS, FOLDS, SEEDS; None where undefined."""
    means = {}
    for between in (MEMBERS, FOLDS, SEEDS):
        rows = table[table["between"] == between]
        if len(rows):
            values = {name: _defined_mean(rows[name]) for name in ("correlation", "jaccard", "chance")}
            means[between] = {**values, "n_pairs": len(rows)}
    return means


def verdict(means: Mapping[str, Mapping[str, Any]]) -> tuple[bool | None, str]:
    """Whether graphs agree enough to be read, and why, in words; the comparison that agrees least counts.

    The graph models of one training count only where no two trainings were compared: their
    mean is what is shown.
    """
    counted = {name: means[name]["correlation"] for name in (FOLDS, SEEDS) if name in means} or {
        name: means[name]["correlation"] for name in (MEMBERS,) if name in means
    }
    defined = {name: value for name, value in counted.items() if value is not None}
    if not defined:
        return None, "Nothing says whether another training would learn the same graph: no two could be compared."
    least = min(defined, key=lambda name: defined[name])
    told = f"weights of two {least} correlate by {defined[least]:.2f} on average"
    if defined[least] < LEAST_CORRELATION:
        return False, f"Do not read this graph: {told}, below {LEAST_CORRELATION}."
    return True, f"Graphs agree between trainings: {told} (at least {LEAST_CORRELATION} is asked for)."


def _defined_mean(values: "pd.Series[float]") -> float | None:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else None
