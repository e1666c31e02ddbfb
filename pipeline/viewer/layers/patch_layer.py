"""Tiles of a slide with their quality, and the patches of its graph."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Float32s, Int64s
from pipeline.artefacts.feature_parts import open_features, read_patch_places
from pipeline.artefacts.tiles import QC_COLUMNS, read_tiles

TOLD_FEATURES = 12
"""Features told of a patch or of a pair: those that stand out most."""


def tiles_of(path: Path) -> dict[str, Any]:
    """Tiles, columns as ``artefacts.tiles`` has them; ``reason`` as position in ``reasons``."""
    frame = read_tiles(path).frame
    reasons = sorted(set(frame["reason"]))
    return {
        **{
            name: frame[name].to_numpy()
            for name in ("x_l0", "y_l0", "width_l0", "tissue_fraction", "kept", *QC_COLUMNS)
        },
        "reasons": reasons,
        "reason": frame["reason"].map({reason: place for place, reason in enumerate(reasons)}).to_numpy(np.int64),
    }


class PatchLayer:
    """Patches of one slide: the nodes of its learned graphs.

    Attributes
    ----------
    corners
        int64 (n, 2), level-0 (x, y) of the top-left corner.
    side
        Their side, level-0 pixels; 0 where it is not known.
    """

    def __init__(self, path: Path) -> None:
        places = read_patch_places(path)
        self.corners: Int64s = places.coords
        self.side = places.tile_width_l0 or 0.0
        stored = open_features(path)
        self.feature_names = stored.feature_names
        self._features: Float32s = stored.read()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice|Degrees of freedom|Mean of empty", RuntimeWarning)
            self._middle, self._spread = np.nanmedian(self._features, axis=0), np.nanstd(self._features, axis=0)
        self._spread[~(self._spread > 0)] = np.nan

    def stand_out(self, nodes: list[int]) -> list[dict[str, Any]]:
        """Features in which a patch stands out, or two differ most, in SD of the slide's patches from their median."""
        values = (self._features[nodes] - self._middle) / self._spread
        by = np.abs(values[0] - values[1]) if len(nodes) > 1 else np.abs(values[0])
        order = [
            int(place) for place in np.argsort(-np.nan_to_num(by, nan=-1.0), kind="stable") if not np.isnan(by[place])
        ]
        return [{"name": self.feature_names[place], "values": values[:, place]} for place in order[:TOLD_FEATURES]]
