"""What the tables of one slide say of its tiles."""

from pipeline.artefacts.tables import HeadedTable


def unreadable_tiles(nuclei: HeadedTable) -> tuple[int, ...]:
    """Kept tiles of whose nuclei nothing is known, since their pixels could not be read."""
    return tuple(nuclei.header.get("unreadable_tiles", ()))
