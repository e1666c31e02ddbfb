"""JSON artefacts, among them the ``provenance.json`` beside files that hold no header."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artefacts.atomic import writing
from pipeline.errors import ArtefactError

PROVENANCE = "provenance.json"


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write ``content`` atomically, keys in their order; NaN is refused, null is not."""
    with writing(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def read_json(path: str | Path, kind: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    ArtefactError
        If the file is missing or holds no JSON object.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{path}: expected {kind} as JSON; it cannot be read ({error}).") from error
    if not isinstance(content, dict):
        raise ArtefactError(f"{path}: expected {kind} as a JSON object, found {type(content).__name__}.")
    return content


def write_provenance(folder: str | Path, record: Mapping[str, Any]) -> None:
    """Write ``provenance.json`` in ``folder``."""
    write_json(Path(folder) / PROVENANCE, record)
