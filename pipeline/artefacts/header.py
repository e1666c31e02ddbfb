"""What the header of every artefact says first: its kind, and the version of its format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artefacts.remedies import damaged, remedy
from pipeline.artefacts.unverified import BEFORE_DIGESTS, FOREIGN, say_unverified
from pipeline.errors import ArtefactError
from pipeline.provenance import FORMAT_VERSIONS

WITHOUT_DIGEST = 1
"""The format version of all kinds that carries no digest."""


def check_header(header: Mapping[str, Any], kind: str, path: str | Path, *, sealed: bool) -> None:
    """Check kind and format version of an artefact's header; see ``check_version``.

    Raises
    ------
    ArtefactError
        If either differs from what this version of abignet reads.
    """
    if header.get("kind") != kind:
        raise ArtefactError(f"{path}: expected {kind}, found {header.get('kind')!r}.")
    check_version(header, kind, path, sealed=sealed)


def check_version(header: Mapping[str, Any], kind: str, path: str | Path, *, sealed: bool) -> None:
    """Check the format version that a header states.

    Parameters
    ----------
    sealed
        Whether the file carries a digest of itself, which has been checked; one that should and does not
        is damaged, and one of version 1 is said to be read unverified.

    Raises
    ------
    ArtefactError
        If the version is not read by this version of abignet, or lacks its digest.
    """
    version, expected = stated_version(header), FORMAT_VERSIONS[kind]
    if version == WITHOUT_DIGEST:
        say_unverified(path, BEFORE_DIGESTS if header.get("provenance") or header.get("source") else FOREIGN)
    elif version != expected:
        raise ArtefactError(f"{path}: expected format version {expected}, found {version}. {remedy(kind, path)}")
    elif not sealed:
        raise damaged(kind, path, f"a file of format version {version} carries a digest of itself, and this one none")


def check_slide(header: Mapping[str, Any], slide_id: str, kind: str, path: str | Path) -> None:
    """Check that the artefact with ``header`` is of ``slide_id``.

    Raises
    ------
    ArtefactError
        If it is of another slide.
    """
    if header.get("slide_id") != slide_id:
        raise damaged(kind, path, f"expected {kind} of slide {slide_id}, found those of {header.get('slide_id')!r}")


def stated_version(header: Mapping[str, Any]) -> object:
    """Format version that a header states, of itself or (version 1) in its provenance; None where it does not."""
    provenance = header.get("provenance")
    within = provenance.get("format_version") if isinstance(provenance, Mapping) else None
    return header.get("format_version", within)
