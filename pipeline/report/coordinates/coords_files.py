"""Tiles of a slide as TRIDENT and CLAM read them; ``pipeline.artefacts.tile_coords`` tells what their files hold."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from pipeline.artefacts.atomic import writing
from pipeline.errors import ArtefactError
from pipeline.logs import get_logger

MAGNIFICATION_UM = 10.0
"""um/px times magnification, the convention by which TRIDENT makes one of the other."""

EXACT_LEVEL_PX = 0.5
"""A stored level fits when a tile has its whole ``tile_px`` pixels there, within this many."""

ROUNDING = 1e-9
"""Guard: a magnification this close to a whole number, relatively, is that number."""

logger = get_logger("tiles")


def write_trident_coords(path: str | Path, tiles: pd.DataFrame, header: Mapping[str, Any]) -> None:
    """Write the kept tiles as TRIDENT does.

    Magnifications are written as ``10 / mpp``, not as the nominal power on the objective,
    because TRIDENT reads a tile as ``patch_size * level0_magnification / target_magnification``
    level-0 pixels: at 0.265 um/px and tiles of 512 px at 0.5 um/px these are 37.74 and 20,
    hence 966 px = 256 um, where the nominal 40 would show 1024 px = 271 um.  Whole ones are
    written as integers.  ``patch_size_level0`` is the side rounded to whole pixels, half a
    pixel off at most.  ``level0_mpp`` and ``target_mpp`` are added, exact; ``savetodir`` is
    ``.``, since the file does not depend on its place.

    Parameters
    ----------
    tiles, header
        A tile table and its header; see ``pipeline.artefacts.tiles``.

    Raises
    ------
    ArtefactError
        If kept tiles differ in size, or the slide's pixel size is unknown.
    """
    grid = _grid(tiles, header)
    attributes = {
        **_trident_sizes(*grid),
        "overlap": int(header.get("overlap_px") or 0),
        "name": str(header["slide_id"]),
        "savetodir": ".",
        "level0_width": int(header["width_l0"]),
        "level0_height": int(header["height_l0"]),
    }
    _write(path, tiles[tiles["kept"]], attributes)


def write_clam_coords(
    path: str | Path, tiles: pd.DataFrame, header: Mapping[str, Any], levels: Sequence[tuple[int, int]] = ()
) -> None:
    """Write the kept tiles as CLAM does.

    CLAM reads whole pixels of one stored level.  The level at which a tile has its own
    ``tile_px`` pixels is named where there is one; else level 0, with the tile's side there
    rounded to whole pixels (half a pixel off at most) as ``patch_size``.  ``target_patch_size``,
    the size to which CLAM's extractor can resize, is added.

    Parameters
    ----------
    tiles, header
        A tile table and its header; see ``pipeline.artefacts.tiles``.
    levels
        Width and height of the slide's stored levels as OpenSlide numbers them, (0, 0) for one not to be named;
        none = level 0 only.

    Raises
    ------
    ArtefactError
        If kept tiles differ in size.
    """
    width_l0, tile_px, _ = _grid(tiles, header)
    whole = (int(header["width_l0"]), int(header["height_l0"]))
    level, size, downsample = _level_that_fits(width_l0, tile_px, [whole, *levels[1:]])
    attributes = {
        "patch_size": max(1, round(width_l0 / downsample[0])),
        "patch_level": level,
        "downsample": np.array(downsample, np.float64),
        "downsampled_level_dim": np.array(size, np.int64),
        "level_dim": np.array(size, np.int64),
        "name": str(header["slide_id"]),
        "save_path": ".",
        "target_patch_size": tile_px,
    }
    _write(path, tiles[tiles["kept"]], attributes)


def _grid(tiles: pd.DataFrame, header: Mapping[str, Any]) -> tuple[float, int, float]:
    """Side in level-0 pixels, side in pixels and um/px of all kept tiles; of one pixel where there is no tile."""
    kept = tiles[tiles["kept"]]
    if kept.empty:
        logger.warning("slide %s: no tile is kept (%s); the file holds none", header["slide_id"], header["reason"])
    if tiles.empty:
        return 1.0, 1, float(header["slide_mpp"] or 1.0)
    grids = (tiles if kept.empty else kept)[["width_l0", "tile_px", "mpp"]].drop_duplicates()
    if len(grids) > 1:
        raise ArtefactError(
            f"slide {header['slide_id']}: expected tiles of one size and resolution, found {len(grids)} kinds. "
            "A coordinates file holds one; export the GeoJSON, or tile again."
        )
    first = grids.iloc[0]
    return float(first["width_l0"]), int(first["tile_px"]), float(first["mpp"])


def _trident_sizes(width_l0: float, tile_px: int, mpp: float) -> dict[str, Any]:
    # The slide's resolution as the tiles have it, so that sizes hold even where tables were rounded.
    slide_mpp = tile_px * mpp / width_l0
    return {
        "patch_size": tile_px,
        "patch_size_level0": max(1, round(width_l0)),
        "level0_magnification": _whole_where_it_is(MAGNIFICATION_UM / slide_mpp),
        "target_magnification": _whole_where_it_is(MAGNIFICATION_UM / mpp),
        "level0_mpp": slide_mpp,
        "target_mpp": mpp,
    }


def _whole_where_it_is(value: float) -> int | float:
    return round(value) if math.isclose(value, round(value), rel_tol=ROUNDING) else value


def _level_that_fits(
    width_l0: float, tile_px: int, levels: Sequence[tuple[int, int]]
) -> tuple[int, tuple[int, int], tuple[float, float]]:
    """Level, its size and its downsamples in x and y at which a tile has ``tile_px`` pixels, else level 0."""
    for level, size in enumerate(levels):
        # The size of a slide that could not be opened is 0, too.
        if 0 in size:
            continue
        downsample = (levels[0][0] / size[0], levels[0][1] / size[1])
        if all(abs(width_l0 / factor - tile_px) < EXACT_LEVEL_PX for factor in downsample):
            return level, size, downsample
    return 0, levels[0], (1.0, 1.0)


def _write(path: str | Path, kept: pd.DataFrame, attributes: Mapping[str, Any]) -> None:
    with writing(path) as temporary, h5py.File(temporary, "w") as file:
        dataset = file.create_dataset("coords", data=kept[["x_l0", "y_l0"]].to_numpy(np.int64), track_times=False)
        dataset.attrs.update(attributes)
