"""``graph_path.json`` of a fold: what was decided about the graph path, and predictions without it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artefacts.json_files import read_json, write_json
from pipeline.artefacts.remedies import damaged

KIND = "graph path"

GRAPH_PATH = "graph_path.json"

KEYS = ("decision", "pretraining", "without_graph")
"""What the file holds, each null where a method has no pooled path beside its graph.

``decision`` (see ``training.fitting.graph_gate.GraphGate``); ``pretraining``, nats on
held-out images by which likely partners (``contrast``) and all patches of an image
(``signature``) tell it from others, mean over graph models; ``without_graph``, the
probabilities of each test image by the pooled path alone, in the order of the classes of
``predictions.csv``."""


def write_graph_path(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write what is known of the graph path of a fold; keys that are not given are null."""
    write_json(path, {key: content.get(key) for key in KEYS})


def read_graph_path(path: str | Path) -> dict[str, Any]:
    """Read it.

    Raises
    ------
    ArtefactError
        If the file cannot be read or lacks a key.
    """
    content = read_json(path, KIND)
    missing = [key for key in KEYS if key not in content]
    if missing:
        raise damaged(KIND, path, f"expected {', '.join(KEYS)}; missing {', '.join(missing)}")
    return content
