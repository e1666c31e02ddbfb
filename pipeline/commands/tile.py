"""``abignet tile``."""

from pathlib import Path

import click

from pipeline.commands.options import EXISTING_FILE, MPP_OF_SLIDE, NEW_FILE, config_options, configured
from pipeline.config import params
from pipeline.provenance import source_digest


@click.command("tile")
@click.option("--slide", "slide_path", type=EXISTING_FILE, required=True, help="Slide or image.")
@click.option("--mpp-slide", type=MPP_OF_SLIDE, help="um per level-0 pixel, where the file does not hold it.")
@click.option("--mpp", type=float, help="Working resolution in um/px. [default: the config's]")
@click.option("--tile-px", type=int, help="Side of a tile in pixels at --mpp. [default: the config's]")
@click.option("--mask", "mask_path", type=EXISTING_FILE, help="GeoJSON of regions in level-0 pixels.")
@click.option("--out", "tiles_path", type=NEW_FILE, required=True, help="Table of tiles to write (.parquet).")
@click.option("--overview", "overview_path", type=NEW_FILE, help="Overview picture to write (.png).")
@config_options
def command(
    slide_path: Path,
    mpp_slide: float | None,
    mpp: float | None,
    tile_px: int | None,
    mask_path: Path | None,
    tiles_path: Path,
    overview_path: Path | None,
    config_path: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Find the tissue of a slide and lay the grid of tiles."""
    from pipeline.artefacts.tiles import read_tiles
    from pipeline.commands.tile_summary import tile_summary
    from pipeline.tiling.params import TilingParams
    from pipeline.tiling.tile_slide import tile_slide

    config = configured(config_path, settings, tiling__mpp=mpp, tiling__tile_px=tile_px)
    tile_slide(
        slide_path,
        tiles_path,
        overview_path,
        slide_id=slide_path.stem,
        mpp=mpp_slide,
        mask_path=mask_path,
        params=params(config, "tiling", TilingParams),
        on_bad_slide="stop",
        on_bad_tile=config["on_bad_tile"],
        reader=config["reader"],
        source=source_digest("pipeline.tiling.tile_slide"),
    )
    click.echo(tile_summary(tiles_path, read_tiles(tiles_path)))
