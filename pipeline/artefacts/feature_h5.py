"""Tile features that other tools keep in HDF5 files.

==============  =====================================================  ==================================
tool            datasets                                               attributes
==============  =====================================================  ==================================
TRIDENT, CLAM   features (N, D), coords (N, 2) in level-0 pixels       of coords: see
                                                                       ``pipeline.artefacts.tile_coords``;
                                                                       of features: encoder (TRIDENT)
STAMP           feats (N, D), coords (N, 2) in **um**                  of the file: unit "um",
                                                                       tile_size_um, tile_size_px,
                                                                       extractor
==============  =====================================================  ==================================

References: Zhang et al. 2025 (TRIDENT, arXiv:2502.06750); Lu et al. 2021 (CLAM, Nat. Biomed. Eng. 5:555); El Nahhas et
al. 2025 (STAMP, Nat. Protoc. 20:293).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Float32s, Int64s
from pipeline.artefacts.foreign_coords import (
    as_stored,
    check_on_slide,
    level_0_coords,
    rows_in_words,
    without_batch,
)
from pipeline.artefacts.hdf5_attributes import pixels_of, positive_number_of, text_of
from pipeline.artefacts.hdf5_files import read_hdf5, unlike
from pipeline.artefacts.tile_coords import slide_of_coords, tile_size
from pipeline.errors import ArtefactError, ImportedFileError
from pipeline.logs import get_logger

EXPECTED = (
    "an HDF5 file of TRIDENT or CLAM with datasets 'features' (N, D) and 'coords' (N, 2), or of STAMP with 'feats' and "
    "'coords'"
)

OTHER_FILE = "Take the file of features that one of them wrote"

REMEDY = " Write one row a tile."

logger = get_logger("features")


@dataclass(frozen=True)
class FeaturesH5:
    """Tiles of one slide and their features, as another tool made them.

    Attributes
    ----------
    features
        float32 (n, d).
    coords
        int64 (n, 2), level-0 (x, y) of the top-left corners, in the file's order.
    tile_px
        Side of a tile in pixels at ``mpp``; None where the file does not tell.
    tile_width_l0
        Side of a tile in level-0 pixels; None where the file does not tell.
    mpp
        Resolution of the tiles in um/px; None where the file does not tell.
    encoder
        Name of the network that made the features; None where the file does not tell.
    """

    features: Float32s
    coords: Int64s
    tile_px: int | None
    tile_width_l0: float | None
    mpp: float | None
    encoder: str | None = None


def read_features_h5(path: str | Path, *, slide_mpp: float | None = None) -> FeaturesH5:
    """Features and coordinates of one file.

    Parameters
    ----------
    path
        The file.
    slide_mpp
        um per level-0 pixel of the slide, by which coordinates in um become pixels; needed for STAMP files only.

    Raises
    ------
    ImportedFileError
        If the file is none of these tools' or damaged, features are not finite numbers (n, d), one row a tile, or
        coordinates are not those of tiles; see ``pipeline.artefacts.foreign_coords``.
    ArtefactError
        If ``slide_mpp`` is needed and missing.
    """
    contents = read_hdf5(path, {"features": np.float32, "feats": np.float32, "coords": None}, EXPECTED)
    names = [name for name in ("feats", "features") if name in contents.arrays]
    if len(names) != 1 or "coords" not in contents.arrays:
        raise unlike(path, EXPECTED, f"it holds {' and '.join(contents.arrays) or 'none of them'}", OTHER_FILE)
    stored = contents.arrays["coords"]
    features = _finite(without_batch(contents.arrays[names[0]]), path)
    if names == ["feats"]:
        file = _stamp(path, features, stored, contents.attributes[""], slide_mpp)
        encoder = text_of(contents.attributes[""], "extractor")
    else:
        file = _trident_or_clam(path, features, stored, contents.attributes["coords"])
        encoder = text_of(contents.attributes["features"], "encoder")
    if len(file.features) != len(file.coords):
        raise ImportedFileError(
            f"{path}: expected one row of features a tile, found {len(file.features)} rows of features and "
            f"{len(file.coords)} of coordinates. Extract the features of this slide again."
        )
    return replace(file, encoder=encoder)


def _finite(features: Float32s, path: str | Path) -> Float32s:
    if features.size == 0:
        return features.reshape(0, features.shape[-1] if features.ndim else 0)
    if features.ndim != 2:
        alone = " One row for the whole slide is no use here; extract features of tiles." if features.ndim == 1 else ""
        raise ImportedFileError(
            f"{path}: expected features (N, D), one row a tile, found shape {features.shape}.{alone or REMEDY}"
        )
    # Rows are looked at once, of what can be gigabytes.
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        what = "NaN" if np.isnan(features[~finite]).any() else "infinity, as beyond what float16 or float32 holds,"
        raise ImportedFileError(
            f"{path}: expected finite features, found {what} in {rows_in_words(~finite)}. Extract them again (in "
            "float32), or leave these rows out of features and coords; on_bad_slide: exclude leaves out the slide."
        )
    return features


def _trident_or_clam(
    path: str | Path, features: Float32s, stored: npt.NDArray[Any], attributes: Mapping[str, Any]
) -> FeaturesH5:
    size, coords = tile_size(attributes, path), level_0_coords(stored, path)
    check_on_slide(coords, size.width_l0, slide_of_coords(attributes, path).size_l0, path)
    if size.caution is not None:
        logger.warning("%s: %s", path, size.caution)
    return FeaturesH5(features=features, coords=coords, tile_px=size.tile_px, tile_width_l0=size.width_l0, mpp=size.mpp)


def _stamp(
    path: str | Path,
    features: Float32s,
    stored: npt.NDArray[Any],
    attributes: Mapping[str, Any],
    slide_mpp: float | None,
) -> FeaturesH5:
    tile_um = positive_number_of(attributes, "tile_size_um", path)
    if attributes.get("unit") != "um" or tile_um is None:
        raise ImportedFileError(
            f"{path}: expected a tile feature file of STAMP with attributes unit = 'um' and tile_size_um, found "
            f"{', '.join(sorted(attributes)) or 'none'}. Make it again with a present STAMP."
        )
    if slide_mpp is None:
        raise ArtefactError(
            f"{path}: coordinates are in um and need the slide's um per level-0 pixel to become pixels. "
            "Give it in the sheet's column mpp, or as --mpp."
        )
    tile_px = pixels_of(attributes, "tile_size_px", path)
    coords = level_0_coords(np.rint(as_stored(stored, path) / slide_mpp), path)
    check_on_slide(coords, tile_um / slide_mpp, None, path)
    return FeaturesH5(
        features=features,
        coords=coords,
        tile_px=tile_px,
        tile_width_l0=tile_um / slide_mpp,
        mpp=None if tile_px is None else tile_um / tile_px,
    )
