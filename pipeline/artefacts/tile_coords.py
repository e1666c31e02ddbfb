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

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from pipeline.arrays import Int64s
from pipeline.errors import ArtefactError

Style = Literal["trident", "clam", "other"]

SAME_WIDTH_L0 = 1.0
"""Two statements of a tile's side agree within this many level-0 pixels: TRIDENT cuts its side to a whole number."""


@dataclass(frozen=True)
class TileSize:
    """Size of the tiles of a file, as ``TileCoords`` has it; None what the file does not tell."""

    width_l0: float | None
    tile_px: int | None
    mpp: float | None
    caution: str | None = None


@dataclass(frozen=True)
class SlideOfCoords:
    """What a file says of the slide that its tiles lie on; None what it does not tell.

    Attributes
    ----------
    mpp
        um per level-0 pixel.
    power
        Magnification of level 0.
    size_l0
        Width and height of level 0 in pixels.
    """

    mpp: float | None = None
    power: float | None = None
    size_l0: tuple[int, int] | None = None


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
    slide
        What the file says of the slide.
    cautions
        What of it contradicts itself, one clause each.
    """

    coords: Int64s
    width_l0: float
    tile_px: int | None = None
    mpp: float | None = None
    overlap_px: int | None = None
    style: Style = "other"
    slide: SlideOfCoords = SlideOfCoords()
    cautions: tuple[str, ...] = ()


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
    size = tile_size(attributes)
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
        slide=_slide(attributes),
        cautions=() if size.caution is None else (size.caution,),
    )


def tile_size(attributes: Mapping[str, Any]) -> TileSize:
    """What the attributes of ``coords`` tell of a tile's size; see ``read_tile_coords``."""
    width_l0, caution = _width_l0(attributes)
    tile_px = _positive(attributes, "target_patch_size") or _positive(attributes, "patch_size")
    return TileSize(
        width_l0=width_l0,
        tile_px=None if tile_px is None else round(tile_px),
        mpp=_positive(attributes, "target_mpp"),
        caution=caution,
    )


def _read(path: Path) -> tuple[Int64s, dict[str, Any]]:
    try:
        with h5py.File(path, "r") as file:
            stored, attributes = np.asarray(file["coords"]), dict(file["coords"].attrs)
    except (OSError, KeyError) as error:
        raise ArtefactError(
            f"{path}: expected an HDF5 file of TRIDENT or CLAM with the dataset 'coords' (N, 2); {error}."
        ) from error
    # Some files carry a leading batch axis of one; a file of no tile may hold an array of any shape.
    coords = stored[0] if stored.ndim == 3 and stored.shape[0] == 1 else stored
    coords = coords.reshape(0, 2) if coords.size == 0 else coords
    if coords.ndim != 2 or coords.shape[1] != 2 or coords.dtype.kind not in "iuf" or (coords % 1 != 0).any():
        raise ArtefactError(
            f"{path}: expected 'coords' (N, 2) in whole level-0 pixels, found {stored.dtype} {stored.shape}"
            f"{' with fractions' if coords.dtype.kind == 'f' else ''}. Coordinates in micrometres cannot be used."
        )
    return coords.astype(np.int64), attributes


def _width_l0(attributes: Mapping[str, Any]) -> tuple[float | None, str | None]:
    """Side of a tile in level-0 pixels, and what contradicts it."""
    patch_px = _positive(attributes, "patch_size")
    ratios = {
        "resolutions": _ratio(attributes, "target_mpp", "level0_mpp"),
        "magnifications": _ratio(attributes, "level0_magnification", "target_magnification"),
        "patch_level": _level_downsample(attributes),
    }
    stated = {name: patch_px * ratio for name, ratio in ratios.items() if patch_px and ratio}
    whole = _positive(attributes, "patch_size_level0")
    if whole is None:
        return next(iter(stated.values()), None), None
    close = [width for width in stated.values() if abs(width - whole) < SAME_WIDTH_L0]
    if close or not stated:
        return (close[0] if close else whole), None
    name, width = next(iter(stated.items()))
    return whole, (
        f"the coordinates file says tiles of {whole:g} level-0 px (patch_size_level0) and by its {name} {width:g}; "
        "the former is taken"
    )


def _slide(attributes: Mapping[str, Any]) -> SlideOfCoords:
    width, height = (_positive(attributes, name) for name in ("level0_width", "level0_height"))
    return SlideOfCoords(
        mpp=_positive(attributes, "level0_mpp"),
        power=_positive(attributes, "level0_magnification"),
        size_l0=None if width is None or height is None else (round(width), round(height)),
    )


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
