"""What the header of every artefact says first: its kind, and the version of its format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import ArtefactError
from pipeline.provenance import FORMAT_VERSION


def check_header(header: Mapping[str, Any], kind: str, path: str | Path) -> None:
    """Check kind and format version of an artefact's header.

    Raises
    ------
    ArtefactError
        If either differs from what this version of abignet reads.
    """
    if header.get("kind") != kind:
        raise ArtefactError(f"{path}: expected {kind}, found {header.get('kind')!r}.")
    version = header.get("provenance", {}).get("format_version")
    if version != FORMAT_VERSION:
        raise ArtefactError(
            f"{path}: expected format version {FORMAT_VERSION}, found {version}. Make it again with this abignet."
        )
