"""Tile features that other tools keep in HDF5 files.

==============  =====================================================  ==================================
tool            datasets                                               attributes
==============  =====================================================  ==================================
TRIDENT, CLAM   features (N, D), coords (N, 2) in level-0 pixels       of coords: see
                                                                       ``pipeline.artefacts.tile_coords``
STAMP           feats (N, D), coords (N, 2) in **um**                  of the file: unit "um",
                                                                       tile_size_um, tile_size_px
==============  =====================================================  ==================================

References: Zhang et al. 2025 (TRIDENT, arXiv:2502.06750); Lu et al. 2021 (CLAM, Nat. Biomed. Eng. 5:555); El Nahhas et
al. 2025 (STAMP, Nat. Protoc. 20:293).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from pipeline.arrays import Float32s, Float64s, Int64s
from pipeline.artefacts.tile_coords import tile_size
from pipeline.errors import ArtefactError
from pipeline.logs import get_logger

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
    """

    features: Float32s
    coords: Int64s
    tile_px: int | None
    tile_width_l0: float | None
    mpp: float | None


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
    ArtefactError
        If the file is none of these tools', or ``slide_mpp`` is needed and missing.
    """
    try:
        with h5py.File(path, "r") as file:
            stamp = "feats" in file
            features = _without_batch(np.asarray(file["feats" if stamp else "features"], np.float32))
            coords = _without_batch(np.asarray(file["coords"], np.float64))
            attributes = dict(file.attrs if stamp else file["coords"].attrs)
    except (OSError, KeyError) as error:
        raise ArtefactError(
            f"{path}: expected an HDF5 file of TRIDENT or CLAM with datasets 'features' (N, D) and 'coords' (N, 2), or "
            f"of STAMP with 'feats' and 'coords'; {error}."
        ) from error
    if stamp:
        return _stamp(path, features, coords, attributes, slide_mpp)
    size = tile_size(attributes)
    if size.caution is not None:
        logger.warning("%s: %s", path, size.caution)
    return FeaturesH5(
        features=features,
        coords=coords.astype(np.int64),
        tile_px=size.tile_px,
        tile_width_l0=size.width_l0,
        mpp=size.mpp,
    )


def _without_batch(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Some encoders' files carry a leading batch axis of one."""
    return array[0] if array.ndim == 3 and array.shape[0] == 1 else array


def _stamp(
    path: str | Path,
    features: Float32s,
    coords_um: Float64s,
    attributes: Mapping[str, Any],
    slide_mpp: float | None,
) -> FeaturesH5:
    if attributes.get("unit") != "um" or "tile_size_um" not in attributes:
        raise ArtefactError(
            f"{path}: expected a tile feature file of STAMP with attributes unit = 'um' and tile_size_um, found "
            f"{', '.join(sorted(attributes)) or 'none'}. Make it again with a present STAMP."
        )
    if slide_mpp is None:
        raise ArtefactError(
            f"{path}: coordinates are in um and need the slide's um per level-0 pixel to become pixels. "
            "Give it in the sheet's column mpp, or as --mpp."
        )
    tile_um, tile_px = float(attributes["tile_size_um"]), attributes.get("tile_size_px")
    return FeaturesH5(
        features=features,
        coords=np.rint(coords_um / slide_mpp).astype(np.int64),
        tile_px=None if tile_px is None else int(tile_px),
        tile_width_l0=tile_um / slide_mpp,
        mpp=None if tile_px is None else tile_um / int(tile_px),
    )
