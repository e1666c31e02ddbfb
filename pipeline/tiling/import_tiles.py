"""Rule ``import_tiles``: tiles chosen elsewhere, measured like our own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.arrays import Bools
from pipeline.artefacts.foreign_coords import is_off_slide
from pipeline.artefacts.tile_coords import TileCoords, read_tile_coords
from pipeline.artefacts.tiles import PEN_COLUMNS
from pipeline.errors import OnBadTile
from pipeline.slides.reader import SlideReader
from pipeline.tiling.grid.tile_grid import SlideSize
from pipeline.tiling.grid.tile_rejection import OPENING_WORDS, causes, decided, drop_unreadable, dropped
from pipeline.tiling.params import TilingParams
from pipeline.tiling.quality.focus import with_focus
from pipeline.tiling.tile_table.scale_cautions import coords_cautions, scale_cautions
from pipeline.tiling.tile_table.slide_map import map_slide, unmeasured, with_quality
from pipeline.tiling.tile_table.tiling_job import TiledSlide, TilingJob


def import_tiles(coords_path: str | Path, job: TilingJob) -> None:
    """Write the table and overview of tiles whose places a coordinates file gives.

    Tissue and quality are measured, but every tile is kept that lies on the slide and can
    be read: whoever chose them has judged them.  Tiles are put into reading order; their
    row and col are the ranks of y_l0 and x_l0 among the distinct ones.  Tiles beyond the slide,
    and coordinates made of a slide of another size, are cautions.

    Parameters
    ----------
    coords_path
        See ``pipeline.artefacts.tile_coords``.
    job
        The slide and where its table goes.  Size and resolution of tiles are the file's and not those of its
        ``params``, but for ``tile_px`` where the file does not tell it.

    Raises
    ------
    ImportedFileError
        If the coordinates cannot be used, and ``on_bad_slide`` is ``stop``.
    ConfigError
        If the file's tiles have a size or resolution that ``tiling`` does not allow.
    SlideError, MissingMppError
        See ``tile_slide``.
    """

    def tile(slide: SlideReader) -> TiledSlide:
        # Read here, so that a file that cannot be used excludes its slide as an unreadable slide does.
        return _import(slide, read_tile_coords(coords_path), job.params, job.slide.on_bad_tile)

    job.run(tile, upstream={"coords": coords_path})


def _import(slide: SlideReader, coords: TileCoords, params: TilingParams, on_bad_tile: OnBadTile) -> TiledSlide:
    tile_px = params.tile_px if coords.tile_px is None else coords.tile_px
    params = replace(
        params, tile_px=tile_px, mpp=coords.width_l0 * slide.mpp / tile_px, overlap_px=coords.overlap_px or 0
    )
    slide_map = map_slide(slide, params, on_bad_tile=on_bad_tile)
    tiles = unmeasured(_placed(coords, params))
    tiles = tiles.assign(tissue_fraction=slide_map.share(slide_map.tissue, tiles))
    beyond = _is_beyond(tiles, slide_map.size)
    tiles = dropped(tiles, beyond, OPENING_WORDS["beyond the slide"])
    tiles = drop_unreadable(tiles, slide_map.share(slide_map.unreadable, tiles) > 0)
    tiles = with_quality(tiles, slide_map, (*PEN_COLUMNS, "qc_fold", "qc_off_stain"), params)
    tiles = decided(with_focus(slide, tiles, params, on_bad_tile))
    cautions = (
        *_beyond_caution(beyond),
        *coords_cautions(slide, coords, params.mpp),
        *scale_cautions(slide.mpp, params),
    )
    return TiledSlide(tiles, slide_map, params, _reason(tiles), cautions)


def _placed(coords: TileCoords, params: TilingParams) -> pd.DataFrame:
    """Tiles in reading order, with the columns of ``tile_grid.make_grid``."""
    x, y = coords.coords[np.lexsort(coords.coords.T)].T
    row, col = (np.unique(axis, return_inverse=True)[1] for axis in (y, x))
    return pd.DataFrame(
        {
            "tile_id": np.arange(len(x), dtype=np.int64),
            "x_l0": x,
            "y_l0": y,
            "width_l0": coords.width_l0,
            "tile_px": np.int64(params.tile_px),
            "mpp": params.mpp,
            "row": row.astype(np.int64),
            "col": col.astype(np.int64),
        }
    )


def _is_beyond(tiles: pd.DataFrame, size: SlideSize) -> Bools:
    """Whether no part of a tile lies on the slide, (n_tiles,)."""
    sides = tiles["width_l0"].to_numpy()[:, None]
    return is_off_slide(tiles[["x_l0", "y_l0"]].to_numpy(np.int64), sides, (size.width_l0, size.height_l0))


def _beyond_caution(beyond: Bools) -> tuple[str, ...]:
    if not beyond.any():
        return ()
    return (f"{int(beyond.sum())} of {len(beyond)} imported tiles lie beyond the slide and are left out",)


def _reason(tiles: pd.DataFrame) -> str | None:
    if tiles["kept"].any():
        return None
    if tiles.empty:
        return "the coordinates file holds no tile"
    counts = ", ".join(f"{int(flags.sum())} {cause}" for cause, flags in causes(tiles).items())
    return f"no imported tile can be used: {counts}"
