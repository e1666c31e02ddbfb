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

from pipeline.arrays import Int64s
from pipeline.artefacts.foreign_coords import MOST_PX, level_0_coords
from pipeline.artefacts.hdf5_attributes import number_of, pixels_of, positive_number_of
from pipeline.artefacts.hdf5_files import read_hdf5, unlike
from pipeline.errors import ImportedFileError

Style = Literal["trident", "clam", "other"]

SAME_WIDTH_L0 = 1.0
"""Two statements of a tile's side agree within this many level-0 pixels: TRIDENT cuts its side to a whole number."""

EXPECTED = "an HDF5 file of TRIDENT or CLAM with the dataset 'coords' (N, 2) in whole level-0 pixels"


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
    ImportedFileError
        If the file is missing, foreign or damaged, coordinates are not whole numbers (n, 2) or
        name a tile twice, or the attributes do not tell how much tissue a tile shows.
    """
    contents = read_hdf5(path, {"coords": None}, EXPECTED)
    if "coords" not in contents.arrays:
        raise unlike(path, EXPECTED, "it holds no 'coords'", "Take the file of coordinates that one of them wrote")
    coords, attributes = level_0_coords(contents.arrays["coords"], path), contents.attributes["coords"]
    size = tile_size(attributes, path)
    if size.width_l0 is None:
        raise ImportedFileError(
            f"{path}: how much tissue a tile shows cannot be known: expected the attribute patch_size_level0, or "
            "patch_size with level0_magnification and target_magnification (TRIDENT) or with patch_level and "
            f"downsample (CLAM), found {', '.join(sorted(attributes)) or 'none'}. "
            "Write the coordinates again with their attributes."
        )
    overlap = pixels_of(attributes, "overlap", path)
    return TileCoords(
        coords=coords,
        width_l0=size.width_l0,
        tile_px=size.tile_px,
        mpp=size.mpp,
        overlap_px=overlap,
        style=_style(attributes),
        slide=slide_of_coords(attributes, path),
        cautions=() if size.caution is None else (size.caution,),
    )


def tile_size(attributes: Mapping[str, Any], path: str | Path) -> TileSize:
    """What the attributes of ``coords`` of the file at ``path`` tell of a tile's size; see ``read_tile_coords``.

    Raises
    ------
    ImportedFileError
        If an attribute is no number, or a tile would have no pixel, or more than any slide.
    """
    attribute = _Attributes(attributes, path)
    width_l0, caution = _width_l0(attribute)
    tile_px = attribute.pixels("target_patch_size") or attribute.pixels("patch_size")
    for side in (width_l0, tile_px):
        if side is not None and not 1 <= side <= MOST_PX:
            raise ImportedFileError(
                f"{path}: expected tiles of 1 to {MOST_PX} pixels, the attributes say {side:g}. "
                "Write the coordinates again with their true attributes."
            )
    return TileSize(width_l0=width_l0, tile_px=tile_px, mpp=attribute.positive("target_mpp"), caution=caution)


def slide_of_coords(attributes: Mapping[str, Any], path: str | Path) -> SlideOfCoords:
    """What the attributes of ``coords`` of the file at ``path`` tell of the slide.

    Raises
    ------
    ImportedFileError
        If an attribute is no number.
    """
    attribute = _Attributes(attributes, path)
    width, height = (attribute.pixels(name) for name in ("level0_width", "level0_height"))
    return SlideOfCoords(
        mpp=attribute.positive("level0_mpp"),
        power=attribute.positive("level0_magnification"),
        size_l0=None if width is None or height is None else (width, height),
    )


@dataclass(frozen=True)
class _Attributes:
    """Attributes of ``coords`` of the file at ``path``, as numbers; None where one is not there."""

    stored: Mapping[str, Any]
    path: str | Path

    def positive(self, name: str) -> float | None:
        """See ``positive_number_of``."""
        return positive_number_of(self.stored, name, self.path)

    def pixels(self, name: str) -> int | None:
        """See ``pixels_of``."""
        return pixels_of(self.stored, name, self.path)

    def ratio(self, over: str, under: str) -> float | None:
        """One number above 0 over another."""
        numerator, denominator = self.positive(over), self.positive(under)
        return numerator / denominator if numerator and denominator else None

    def level_downsample(self) -> float | None:
        """Level-0 pixels per pixel in which CLAM counts ``patch_size``, the side of a tile."""
        level = number_of(self.stored, "patch_level", self.path)
        if level is None:
            return None
        stored = self.positive("downsample") or (1.0 if level == 0 else None)
        return None if stored is None else stored * (self.positive("custom_downsample") or 1.0)


def _width_l0(attribute: _Attributes) -> tuple[float | None, str | None]:
    """Side of a tile in level-0 pixels, and what contradicts it."""
    patch_px = attribute.positive("patch_size")
    ratios = {
        "resolutions": attribute.ratio("target_mpp", "level0_mpp"),
        "magnifications": attribute.ratio("level0_magnification", "target_magnification"),
        "patch_level": attribute.level_downsample(),
    }
    stated = {name: patch_px * ratio for name, ratio in ratios.items() if patch_px and ratio}
    whole = attribute.positive("patch_size_level0")
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


def _style(attributes: Mapping[str, Any]) -> Style:
    if {"patch_size_level0", "target_magnification"} & attributes.keys():
        return "trident"
    return "clam" if "patch_level" in attributes else "other"
