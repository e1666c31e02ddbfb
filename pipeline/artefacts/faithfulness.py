"""``faithfulness.json`` of a fold: curves of deletion and insertion of what spoke for its predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artefacts.json_files import read_json, write_json
from pipeline.artefacts.remedies import damaged

KIND = "faithfulness"

FAITHFULNESS = "faithfulness.json"

EVIDENCE, WEIGHT, RANDOM = ORDERS = ("evidence", "weight", "random")
"""By what parts go or come: their evidence, the weight of their edges, or chance (the mean of several orders)."""

DELETION, INSERTION = DIRECTIONS = ("deletion", "insertion")

Curves = dict[str, dict[str, list[float]]]
"""By direction and order, the probability of the predicted class."""


@dataclass(frozen=True)
class Faithfulness:
    """Curves of some test images of a fold.

    Attributes
    ----------
    fractions
        Shares of patches or edges that have gone, or come.
    patches, edges
        Curves by slide, at each of ``fractions``; no edges where none can be silenced.
    """

    fractions: tuple[float, ...]
    patches: Mapping[str, Curves]
    edges: Mapping[str, Curves]


def write_faithfulness(path: str | Path, found: Faithfulness, provenance: Mapping[str, Any]) -> None:
    """Write the curves of a fold."""
    content = {"fractions": list(found.fractions), "patches": dict(found.patches), "edges": dict(found.edges)}
    write_json(path, {**content, "provenance": dict(provenance)})


def read_faithfulness(path: str | Path) -> Faithfulness:
    """Read them.

    Raises
    ------
    ArtefactError
        If the file cannot be read, or a curve has another length than the fractions.
    """
    content = read_json(path, KIND)
    try:
        found = Faithfulness(tuple(content["fractions"]), content["patches"], content["edges"])
        lengths = {
            len(curves[direction][order])
            for part in (found.patches, found.edges)
            for curves in part.values()
            for direction in DIRECTIONS
            for order in ORDERS
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise damaged(KIND, path, f"expected curves by slide, direction and order; {error!r} is missing") from error
    if lengths - {len(found.fractions)}:
        raise damaged(KIND, path, f"expected curves of {len(found.fractions)} values, found {sorted(lengths)}")
    return found
