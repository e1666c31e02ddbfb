"""``abignet import-tiles``."""

from pathlib import Path

import click

from pipeline.commands.options import EXISTING_FILE, MPP_OF_SLIDE, NEW_FILE, config_options, configured
from pipeline.config import params
from pipeline.provenance import source_digest


@click.command("import-tiles")
@click.option("--slide", "slide_path", type=EXISTING_FILE, required=True, help="Slide or image.")
@click.option(
    "--coords", "coords_path", type=EXISTING_FILE, required=True, help="Coordinates of TRIDENT or CLAM (.h5)."
)
@click.option("--mpp-slide", type=MPP_OF_SLIDE, help="um per level-0 pixel, where the file does not hold it.")
@click.option("--out", "tiles_path", type=NEW_FILE, required=True, help="Table of tiles to write (.parquet).")
@click.option("--overview", "overview_path", type=NEW_FILE, help="Overview picture to write (.png).")
@config_options
def command(
    slide_path: Path,
    coords_path: Path,
    mpp_slide: float | None,
    tiles_path: Path,
    overview_path: Path | None,
    config_path: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Make the tile table of a slide from coordinates of TRIDENT or CLAM."""
    from pipeline.artefacts.tiles import read_tiles
    from pipeline.commands.tile_summary import tile_summary
    from pipeline.slides.slide_input import SlideInput
    from pipeline.tiling.import_tiles import import_tiles
    from pipeline.tiling.params import TilingParams
    from pipeline.tiling.tile_table.tiling_job import TilingJob

    config = configured(config_path, settings)
    slide = SlideInput(slide_path.stem, slide_path, mpp_slide, config["reader"], on_bad_tile=config["on_bad_tile"])
    source = source_digest("pipeline.tiling.import_tiles")
    tiling = params(config, "tiling", TilingParams)
    import_tiles(coords_path, TilingJob(slide, tiles_path, overview_path, tiling, source))
    click.echo(tile_summary(tiles_path, read_tiles(tiles_path)))
