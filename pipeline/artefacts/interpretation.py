"""``training/{run}/{method}/interpretation/``: what the graphs and the evidence of a method have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.csv_files import read_sealed_csv, write_csv
from pipeline.artefacts.json_files import read_json, write_json, write_provenance
from pipeline.artefacts.remedies import damaged

KIND = "interpretation"

INTERPRETATION = "interpretation"
"""Name of the folder."""

SUMMARY = "summary.json"

SUMMARY_KEYS = ("method", "graph_path_on", "stability", "readable", "reading", "verdict", "kinds")
"""``stability``: by what is compared, the means of ``correlation``, ``jaccard`` and ``chance`` and ``n_pairs``;
``graph_path_on``: in how many of how many trainings, [on, all], null where the method decides nothing; ``readable``:
whether graphs agree enough to be read, null where nothing could be compared; ``reading``: that in a sentence;
``verdict``: the same and what was found of the evidence; ``kinds``: a list of {features, examples,
share}, of each kind of patch the telling features [name, SD], example patches [slide, row], and its share of patches by
class."""

MEMBERS, FOLDS, SEEDS = "members", "folds", "seeds"
"""Graphs of one image that are compared: by the graph models of one training, trainings of two folds, of two seeds."""

TABLES: dict[str, dict[str, str]] = {
    # Area under the mean probability of the predicted class while parts go or come, and what it is less by chance.
    "faithfulness": {
        "part": "str",  # patches, edges
        "direction": "str",
        "order": "str",
        "n_images": "int64",
        "area_mean": "float64",
        "area_sd": "float64",  # over images, ddof=1
        "less_random_mean": "float64",
        "less_random_ci_low": "float64",  # 95 % of the mean, over images
        "less_random_ci_high": "float64",
    },
    "curves": {
        "part": "str",
        "direction": "str",
        "order": "str",
        "fraction": "float64",
        "probability_mean": "float64",
        "probability_sd": "float64",
    },
    "stability": {
        "slide_id": "str",
        "between": "str",
        "one": "str",
        "other": "str",
        "correlation": "float64",
        "jaccard": "float64",
        "chance": "float64",
    },
    "graph_metrics": {"slide_id": "str", "case_id": "str", "label": "str", "predicted": "str"},
    "graph_tests": {
        "of": "str",  # graph, or excess over graphs by chance of the same size
        "name": "str",
        "n_patients": "int64",
        "h": "float64",
        "p": "float64",
        "q": "float64",
        "epsilon_squared": "float64",
    },
    "graph_pairs": {
        "of": "str",
        "name": "str",
        "one": "str",
        "other": "str",
        "p": "float64",
        "p_holm": "float64",
        "cliffs_delta": "float64",
    },
    "motifs": {
        "label": "str",
        "one": "int64",
        "other": "int64",
        "weight": "float64",
        "expected": "float64",
        "log2_ratio": "float64",
        "z": "float64",
        "p": "float64",
        "q": "float64",
    },
}
"""Tables of the folder, ``{name}.csv``, by name; ``graph_metrics`` and ``graph_tests`` have columns beyond."""


@dataclass(frozen=True)
class Interpretation:
    """The folder.

    Attributes
    ----------
    tables
        By name, see ``TABLES``.
    summary
        See ``SUMMARY_KEYS``.
    """

    tables: Mapping[str, pd.DataFrame]
    summary: Mapping[str, Any]


def write_interpretation(path: str | Path, found: Interpretation, provenance: Mapping[str, Any]) -> None:
    """Write the folder, atomically."""
    with writing(path) as folder:
        folder.mkdir()
        for name, columns in TABLES.items():
            write_csv(folder / f"{name}.csv", found.tables[name], columns)
        write_json(folder / SUMMARY, {key: found.summary[key] for key in SUMMARY_KEYS})
        write_provenance(folder, provenance, [f"{name}.csv" for name in TABLES])


def read_interpretation(path: str | Path) -> Interpretation:
    """Read the folder.

    Raises
    ------
    ArtefactError
        If a file is missing or damaged.
    """
    folder = Path(path)
    tables = {name: read_sealed_csv(folder / f"{name}.csv", KIND, columns) for name, columns in TABLES.items()}
    metrics = tables["graph_metrics"]
    for column in metrics.columns[len(TABLES["graph_metrics"]) :]:
        metrics[column] = pd.to_numeric(metrics[column], errors="coerce")
    return Interpretation(tables, read_summary(folder))


def read_summary(folder: str | Path) -> dict[str, Any]:
    """The summary in the folder.

    Raises
    ------
    ArtefactError
        If it is missing or damaged, or lacks a key.
    """
    path = Path(folder) / SUMMARY
    summary = read_json(path, KIND)
    missing = [key for key in SUMMARY_KEYS if key not in summary]
    if missing:
        raise damaged(KIND, path, f"expected {', '.join(SUMMARY_KEYS)}; missing {', '.join(missing)}")
    return summary
