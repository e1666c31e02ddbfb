"""Coordinates of tiles as TRIDENT and CLAM write them: an HDF5 dataset ``coords`` with attributes.

Frame: level-0 pixels as OpenSlide counts them, (x, y) of the tile's top-left corner, y down.

What the two tools write and how they read it back:

========  ===============================================================  =============================
style     attributes of ``coords``                                         side of a tile, level-0 px
========  ===============================================================  =============================
TRIDENT   patch_size, patch_size_level0, level0_magnification,             round(patch_size *
          target_magnification, overlap, name, savetodir, level0_width,    level0_magnification /
          level0_height                                                    target_magnification)
CLAM      patch_size, patch_level, downsample, downsampled_level_dim,      patch_size * downsample of
          level_dim, name, save_path                                       patch_level
========  ===============================================================  =============================

References: Zhang et al. 2025 (TRIDENT, arXiv:2502.06750); Lu et al. 2021 (CLAM, Nat. Biomed. Eng. 5:555).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.artefacts.atomic import writing
from pipeline.errors import ArtefactError
from pipeline.logs import get_logger

Style = Literal["trident", "clam", "other"]

MAGNIFICATION_UM = 10.0
"""um/px times magnification, the convention by which TRIDENT makes one of the other."""

SAME_WIDTH_L0 = 1.0
"""Two statements of a tile's side agree within this many level-0 pixels: TRIDENT cuts its side to a whole number."""

EXACT_LEVEL_PX = 0.5
"""A stored level fits when a tile has its whole ``tile_px`` pixels there, within this many."""

ROUNDING = 1e-9
"""Guard: a magnification this close to a whole number, relatively, is that number."""

logger = get_logger("tiles")


@dataclass(frozen=True)
class TileSize:
    """Size of the tiles of a file, as ``TileCoords`` has it; None what the file does not tell."""

    width_l0: float | None
    tile_px: int | None
    mpp: float | None


@dataclass(frozen=True)
class TileCoords:
    """Tiles of one slide, made elsewhere.

    Attributes
    ----------
    coords
        int64 (n, 2), level-0 (x, y) of the top-left corners, in the file's order.
    width_l0
        Side of a tile in level-0 pixels, not rounded where the file tells.
    tile_px
        Side of a tile in pixels at its own resolution; None where the file does not tell.
    mpp
        um/px of the tiles as the file states it, None where it does not; ``width_l0 * slide_mpp /
        tile_px`` always holds, whatever a file rounds.
    overlap_px
        Pixels that neighbours share, at the tiles' resolution; None where the file does not tell.
    style
        Whose attributes the file carries.
    """

    coords: npt.NDArray[np.int64]
    width_l0: float
    tile_px: int | None = None
    mpp: float | None = None
    overlap_px: int | None = None
    style: Style = "other"


def read_tile_coords(path: str | Path) -> TileCoords:
    """Read a coordinates file of TRIDENT, CLAM or a fork of either.

    The side of a tile is ``patch_size_level0``, made exact by the resolutions or
    magnifications where they agree with it; without it, ``patch_size`` times the ratio of
    resolutions, of magnifications, or the downsample of ``patch_level``.

    Raises
    ------
    ArtefactError
        If the file is missing or foreign, coordinates are not whole numbers (n, 2), or the
        attributes do not tell how much tissue a tile shows.
    """
    coords, attributes = _read(Path(path))
    size = tile_size(attributes, path)
    if size.width_l0 is None:
        raise ArtefactError(
            f"{path}: how much tissue a tile shows cannot be known: expected the attribute patch_size_level0, or "
            "patch_size with level0_magnification and target_magnification (TRIDENT) or with patch_level and "
            f"downsample (CLAM), found {', '.join(sorted(attributes)) or 'none'}. "
            "Write the coordinates again with their attributes."
        )
    overlap = _number(attributes, "overlap")
    return TileCoords(
        coords=coords,
        width_l0=size.width_l0,
        tile_px=size.tile_px,
        mpp=size.mpp,
        overlap_px=None if overlap is None else round(overlap),
        style=_style(attributes),
    )


def tile_size(attributes: Mapping[str, Any], path: str | Path) -> TileSize:
    """What the attributes of ``coords`` of the file at ``path`` tell of a tile's size; see ``read_tile_coords``."""
    tile_px = _positive(attributes, "target_patch_size") or _positive(attributes, "patch_size")
    return TileSize(
        width_l0=_width_l0(attributes, path),
        tile_px=None if tile_px is None else round(tile_px),
        mpp=_positive(attributes, "target_mpp"),
    )


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
        Width and height of the slide's stored levels, finest first; none = level 0 only.

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
    # The size of a slide that could not be opened is 0.
    known = [size for size in levels if 0 not in size]
    for level, size in enumerate(known):
        downsample = (levels[0][0] / size[0], levels[0][1] / size[1])
        if all(abs(width_l0 / factor - tile_px) < EXACT_LEVEL_PX for factor in downsample):
            return level, size, downsample
    return 0, levels[0], (1.0, 1.0)


def _write(path: str | Path, kept: pd.DataFrame, attributes: Mapping[str, Any]) -> None:
    with writing(path) as temporary, h5py.File(temporary, "w") as file:
        dataset = file.create_dataset("coords", data=kept[["x_l0", "y_l0"]].to_numpy(np.int64), track_times=False)
        dataset.attrs.update(attributes)


def _read(path: Path) -> tuple[npt.NDArray[np.int64], dict[str, Any]]:
    try:
        with h5py.File(path, "r") as file:
            found, attributes = np.asarray(file["coords"]), dict(file["coords"].attrs)
    except (OSError, KeyError) as error:
        raise ArtefactError(
            f"{path}: expected an HDF5 file of TRIDENT or CLAM with the dataset 'coords' (N, 2); {error}."
        ) from error
    # Some files carry a leading batch axis of one; a file of no tile may hold an array of any shape.
    coords = found[0] if found.ndim == 3 and found.shape[0] == 1 else found
    coords = coords.reshape(0, 2) if coords.size == 0 else coords
    if coords.ndim != 2 or coords.shape[1] != 2 or coords.dtype.kind not in "iuf" or (coords % 1 != 0).any():
        raise ArtefactError(
            f"{path}: expected 'coords' (N, 2) in whole level-0 pixels, found {found.dtype} {found.shape}"
            f"{' with fractions' if coords.dtype.kind == 'f' else ''}. Coordinates in micrometres cannot be used."
        )
    return coords.astype(np.int64), attributes


def _width_l0(attributes: Mapping[str, Any], path: str | Path) -> float | None:
    patch_px = _positive(attributes, "patch_size")
    ratios = {
        "resolutions": _ratio(attributes, "target_mpp", "level0_mpp"),
        "magnifications": _ratio(attributes, "level0_magnification", "target_magnification"),
        "patch_level": _level_downsample(attributes),
    }
    stated = {name: patch_px * ratio for name, ratio in ratios.items() if patch_px and ratio}
    whole = _positive(attributes, "patch_size_level0")
    if whole is None:
        return next(iter(stated.values()), None)
    close = [width for width in stated.values() if abs(width - whole) < SAME_WIDTH_L0]
    if stated and not close:
        name, width = next(iter(stated.items()))
        logger.warning("%s: patch_size_level0 is %g px, the %s say %g; taking the former", path, whole, name, width)
    return close[0] if close else whole


def _level_downsample(attributes: Mapping[str, Any]) -> float | None:
    if "patch_level" not in attributes:
        return None
    stored = _positive(attributes, "downsample") or (1.0 if int(attributes["patch_level"]) == 0 else None)
    return None if stored is None else stored * (_positive(attributes, "custom_downsample") or 1.0)


def _ratio(attributes: Mapping[str, Any], over: str, under: str) -> float | None:
    numerator, denominator = _positive(attributes, over), _positive(attributes, under)
    return numerator / denominator if numerator and denominator else None


def _positive(attributes: Mapping[str, Any], name: str) -> float | None:
    """Attribute as a number above 0; None where it is absent or unset."""
    number = _number(attributes, name)
    return number if number is not None and number > 0 else None


def _number(attributes: Mapping[str, Any], name: str) -> float | None:
    """Attribute as a finite number, the mean where it is given for x and y."""
    values = np.asarray(attributes.get(name))
    number = float(values.mean()) if values.dtype.kind in "iuf" and values.size else np.nan
    return number if np.isfinite(number) else None


def _style(attributes: Mapping[str, Any]) -> Style:
    if {"patch_size_level0", "target_magnification"} & attributes.keys():
        return "trident"
    return "clam" if "patch_level" in attributes else "other"
