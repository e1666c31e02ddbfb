"""What a command that wrote a tile table says of it."""

from pathlib import Path

from pipeline.artefacts.tables import HeadedTable


def tile_summary(path: Path, table: HeadedTable) -> str:
    """Tiles kept of a table at ``path``, why none is, and what is odd about its slide."""
    kept = f"{path}: {int(table.frame['kept'].sum())} of {len(table.frame)} tiles kept"
    reason = f" ({table.reason})" if table.reason else ""
    cautions = table.header.get("cautions", ())
    return kept + reason + (f"; caution: {'; '.join(cautions)}" if cautions else "")
