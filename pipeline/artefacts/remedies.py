"""How each kind of file is made again: the last sentence of an error about it."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import ArtefactError

COMMANDS: Mapping[str, str] = {
    "tiles": "abignet tile",
    "nuclei": "abignet features",
    "cell_graphs": "abignet graphs",
    "features": "abignet features",
    "learned_graphs": "abignet train",
    "evidence": "abignet explain",
    "faithfulness": "abignet explain",
    "interpretation": "abignet explain",
    "model": "abignet train",
    "splits": "abignet train",
    "excluded slides": "abignet train",
    "predictions": "abignet train` or `abignet predict",
    "training history": "abignet train",
    "metrics": "abignet train",
    "comparison of methods": "abignet train",
    "provenance": "abignet train",
}
"""What makes a kind of file outside Snakemake."""


def remedy(kind: str, path: str | Path) -> str:
    """The sentence that tells how the file of ``kind`` at ``path`` is made again."""
    outside = f", or outside Snakemake `{COMMANDS[kind]}`" if kind in COMMANDS else ""
    return f"Make it again: `snakemake --forcerun {path}`{outside}."


def damaged(kind: str, path: str | Path, fault: str) -> ArtefactError:
    """The error that names a file, its fault (a clause about it) and its remedy."""
    return ArtefactError(f"{path}: {fault}. {remedy(kind, path)}")
