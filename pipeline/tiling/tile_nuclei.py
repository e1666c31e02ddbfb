"""Rule ``tile_nuclei``: tiles over the extent of nuclei that come without a slide.

Frames: ``_um`` and ``_l0`` as in ``pipeline.units``; level 0 begins at the corner of the nuclei's extent, and the
origin of their file lies at the corner of the bounds in the header.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.arrays import Float64s, Rgb
from pipeline.artefacts import tiles as tile_table
from pipeline.artefacts.foreign_nuclei.file_frame import file_frame
from pipeline.artefacts.foreign_nuclei.found_nuclei import FoundNuclei
from pipeline.artefacts.foreign_nuclei.nuclei_file import read_found_nuclei
from pipeline.artefacts.tables import empty_frame
from pipeline.errors import ConfigError, ImportedFileError, MissingMppError, OnBadSlide
from pipeline.exclusion import reason_to_exclude
from pipeline.logs import get_logger
from pipeline.provenance import digests, record
from pipeline.tiling.grid.tile_grid import SlideSize, tiles_at
from pipeline.tiling.grid.tile_rejection import OPENING_WORDS, decided, drop_unsampled, dropped
from pipeline.tiling.params import LARGEST_TABLE, TilingParams
from pipeline.tiling.tile_table.overview import draw_overview, draw_unreadable, write_overview
from pipeline.tiling.tile_table.slide_map import SlideMap, unmeasured
from pipeline.units import l0_from_px

INK = (84, 66, 142)
"""Colour of a nucleus in the overview."""

logger = get_logger("tiling")


@dataclass(frozen=True)
class _Extent:
    """Nuclei of a file and the rectangle they span.

    Attributes
    ----------
    xy_l0
        Centroids (n, 2), from the corner of the rectangle.
    mpp
        um per level-0 pixel.
    origin_l0
        Corner (x, y) of the rectangle in the frame of the file, in such pixels.
    """

    xy_l0: Float64s
    mpp: float
    origin_l0: tuple[int, int]

    @property
    def size(self) -> SlideSize:
        """Of the rectangle; 0 without nuclei."""
        width, height = (int(side) + 1 for side in self.xy_l0.max(axis=0, initial=-1))
        return SlideSize(width, height)


NOWHERE = _Extent(np.zeros((0, 2)), 1.0, (0, 0))
"""Of a file without nuclei."""


def tile_nuclei(
    found_path: str | Path,
    tiles_path: str | Path,
    overview_path: str | Path | None,
    *,
    slide_id: str,
    mpp: float | None,
    params: TilingParams,
    on_bad_slide: OnBadSlide,
    source: str,
) -> None:
    """Write the table and overview of tiles over nuclei without a slide, from the corner of their extent on.

    Kept is every tile that holds a nucleus; tissue and quality are not known.  Tiles have the size that ``params`` ask
    for; where ``mpp`` is None, level-0 pixels are those of the working resolution.

    Parameters
    ----------
    found_path
        See ``pipeline.artefacts.foreign_nuclei``.
    overview_path
        Where the picture goes; None draws none.
    mpp
        um per pixel of the file, from the sheet; needed where the file counts pixels.
    on_bad_slide
        ``exclude`` writes an empty table with the error as reason instead of raising ``ImportedFileError``.
    source
        Source digest of this room.

    Raises
    ------
    ImportedFileError
        If the file cannot be read, or its nuclei lie too far apart, and ``on_bad_slide`` is ``stop``.
    MissingMppError
        If the file counts pixels and ``mpp`` is None.
    ConfigError
        If ``params`` ask for tiles that share tissue.
    """
    if params.overlap_px:
        raise ConfigError(
            f"slide {slide_id}: tiling.overlap_px: expected 0 for nuclei without a slide, found {params.overlap_px}."
        )
    try:
        extent = _extent(read_found_nuclei(found_path), mpp, params, found_path)
        tiles = _tiles(extent, params, found_path)
    except ImportedFileError as error:
        reason = reason_to_exclude(error, found_path, on_bad_slide)
        logger.warning("%s is excluded: %s", slide_id, error)
        extent, tiles = NOWHERE, empty_frame(tile_table.COLUMNS)
    else:
        reason = "" if len(extent.xy_l0) else "the file holds no nucleus"
    header = tile_table.TileHeader(
        slide_id=slide_id,
        slide_mpp=extent.mpp if len(extent.xy_l0) else None,
        width_l0=extent.size.width_l0,
        height_l0=extent.size.height_l0,
        reason=reason or None,
        provenance=record(params=params, source=source, upstream=digests({"nuclei": found_path})),
        bounds_l0=(-extent.origin_l0[0], -extent.origin_l0[1], extent.size.width_l0, extent.size.height_l0),
        without_slide=True,
    )
    if overview_path is not None:
        picture = draw_unreadable(slide_id, reason) if reason else _picture(extent, tiles, header, params.overview_px)
        write_overview(overview_path, picture, header.plain())
    tile_table.write_tiles(tiles_path, tiles, header)
    logger.info("%s: %d of %d tiles kept", slide_id, int(tiles["kept"].sum()), len(tiles))


def _extent(found: FoundNuclei, mpp: float | None, params: TilingParams, path: str | Path) -> _Extent:
    if mpp is None and found.unit == "px":
        raise MissingMppError(
            f"{path}: nuclei are given in pixels and no slide tells their size. Give um per pixel in column `mpp` of "
            "the sheet, or coordinates in micrometres."
        )
    slide_mpp = params.mpp if mpp is None else mpp
    frame = file_frame(found, {"slide_mpp": slide_mpp, "bounds_l0": (0, 0)}, path)
    xy_l0 = frame.um_from_file(found.frame[["x", "y"]].to_numpy(np.float64)) / slide_mpp
    if not len(xy_l0):
        return NOWHERE
    x, y = np.floor(xy_l0.min(axis=0))
    return _Extent(xy_l0 - [x, y], slide_mpp, (int(x), int(y)))


def _tiles(extent: _Extent, params: TilingParams, path: str | Path) -> pd.DataFrame:
    if not len(extent.xy_l0):
        return empty_frame(tile_table.COLUMNS)
    width_l0 = l0_from_px(params.tile_px, params.mpp, extent.mpp)
    last_l0 = extent.xy_l0.max(axis=0)
    n_cols, n_rows = (_n_tiles(last, width_l0) for last in last_l0.tolist())
    if n_cols * n_rows > LARGEST_TABLE:
        side_um = last_l0 * extent.mpp
        raise ImportedFileError(
            f"{path}: nuclei span {side_um[0]:.3g} x {side_um[1]:.3g} um, more than {LARGEST_TABLE:,} tiles. Is the "
            "unit right, and is there no stray nucleus?"
        )
    # Tiles begin at rounded corners, and so do the boxes that own nuclei.
    edges = [np.rint(np.arange(n + 1) * width_l0) for n in (n_cols, n_rows)]
    x_l0, y_l0 = (edge[:-1].astype(np.int64) for edge in edges)
    grid = tiles_at(x_l0, y_l0, extent.mpp, params)
    places = [np.searchsorted(edge, extent.xy_l0[:, axis], side="right") - 1 for axis, edge in enumerate(edges)]
    n_nuclei = np.bincount(places[1] * n_cols + places[0], minlength=len(grid))
    tiles = dropped(unmeasured(grid).assign(tissue_fraction=np.nan), n_nuclei == 0, OPENING_WORDS["no nucleus"])
    return decided(drop_unsampled(tiles, params))


def _n_tiles(last_l0: float, width_l0: float) -> int:
    """Tiles from 0 on, with rounded borders, that it takes to hold ``last_l0``."""
    n_tiles = int(last_l0 // width_l0) + 1
    return n_tiles + int(round(n_tiles * width_l0) <= last_l0)


def _picture(extent: _Extent, tiles: pd.DataFrame, header: tile_table.TileHeader, longer_px: int) -> Image.Image:
    """Nuclei as dots on white, below their tiles."""
    ends_l0 = (tiles[["x_l0", "y_l0"]].to_numpy() + tiles[["width_l0"]].to_numpy()).max(axis=0, initial=1)
    scale = longer_px / ends_l0.max()
    width, height = np.maximum(np.ceil(ends_l0 * scale), 1).astype(int)
    canvas: Rgb = np.full((height, width, 3), 255, np.uint8)
    col, row = (extent.xy_l0 * scale).astype(int).T
    canvas[row.clip(0, height - 1), col.clip(0, width - 1)] = INK
    bounds = SlideSize(max(1, round(width / scale)), max(1, round(height / scale)))
    shown = {**header.plain(), "width_l0": bounds.width_l0, "height_l0": bounds.height_l0}
    return draw_overview(canvas, SlideMap(bounds, np.zeros((1, 1), np.bool_)), tiles, shown)
