"""The tables of one slide that graphs and features are made from, checked to be of one slide."""

from pathlib import Path

from pipeline.artefacts.tables import HeadedTable
from pipeline.errors import ArtefactError


def check_slide(table: HeadedTable, path: str | Path, slide_id: str) -> None:
    """Check that ``table`` is of ``slide_id``.

    Raises
    ------
    ArtefactError
        If it is of another slide.
    """
    if table.header.get("slide_id") != slide_id:
        raise ArtefactError(
            f"{path}: expected a table of slide {slide_id}, found {table.header.get('slide_id')!r}. "
            "Make it again for this slide."
        )


def unreadable_tiles(nuclei: HeadedTable) -> tuple[int, ...]:
    """Kept tiles of whose nuclei nothing is known, since their pixels could not be read."""
    return tuple(nuclei.header.get("unreadable_tiles", ()))
