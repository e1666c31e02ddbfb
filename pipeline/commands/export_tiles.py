"""``abignet export-tiles``."""

from pathlib import Path

import click

from pipeline.commands.options import EXISTING_FILE, NEW_FILE

OPTION_OF_STYLE = {"trident": "trident_path", "clam": "clam_path", "geojson": "outlines_path"}


@click.command("export-tiles")
@click.option("--tiles", "tiles_path", type=EXISTING_FILE, required=True, help="Table of tiles (.parquet).")
@click.option(
    "--style",
    type=click.Choice(list(OPTION_OF_STYLE)),
    required=True,
    help="trident, clam: coordinates of kept tiles (.h5); geojson: outlines of all tiles for QuPath.",
)
@click.option(
    "--slide", "slide_path", type=EXISTING_FILE, help="The slide; lets clam name the stored level that fits the tiles."
)
@click.option("--out", "out_path", type=NEW_FILE, required=True, help="File to write.")
def command(tiles_path: Path, style: str, slide_path: Path | None, out_path: Path) -> None:
    """Write the tiles of a slide as other tools read them."""
    from pipeline.report.export_tiles import export_tiles

    export_tiles(tiles_path, slide_path=slide_path, **{OPTION_OF_STYLE[style]: out_path})
    click.echo(f"{out_path}: written")
