"""The nuclei of a slide as arrays, grouped by tile, ready to be joined."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.artefacts.nuclei import PAPER_MEASURES
from pipeline.cellgraph.graphs.axes import has_axis
from pipeline.cellgraph.params import CellGraphParams


@dataclass(frozen=True)
class TiledNuclei:
    """Nuclei of the tiles of a slide, grouped by tile.

    Attributes
    ----------
    xy_um
        float64 (n, 2), centroids.
    orientation_rad
        float64 (n,), axial direction of the major axis.
    axis_reliable
        bool (n,), whether that axis means anything; see ``axes.has_axis``.
    raw_measures
        float64 (n, 12), the measures of ``artefacts.nuclei.PAPER_MEASURES`` in the paper's units: pixels at the working
        resolution, not um.  Only ``kind: paper`` reads them.
    node_offsets
        int64 (n_tiles + 1,); ``[0, n]`` makes one graph of the whole slide.
    """

    xy_um: Float64s
    orientation_rad: Float64s
    axis_reliable: Bools
    raw_measures: Float64s
    node_offsets: Int64s


def tiled_nuclei(frame: pd.DataFrame, node_offsets: Int64s, params: CellGraphParams, mpp: float) -> TiledNuclei:
    """Nuclei of ``frame``, grouped by tile, ready to be joined.

    Parameters
    ----------
    frame
        Rows of a nucleus table.
    node_offsets
        int64 (n_groups + 1,), rows of each tile, or ``[0, n]`` for one graph of the whole slide.
    params
        ``min_eccentricity`` says which nuclei have an axis.
    mpp
        Resolution of segmentation in um/px; lengths of the raw measures are in its pixels, as in the paper.
    """
    orientation = frame["orientation_rad"].to_numpy(np.float64)
    return TiledNuclei(
        xy_um=frame[["x_um", "y_um"]].to_numpy(np.float64),
        orientation_rad=orientation,
        axis_reliable=has_axis(frame["eccentricity"].to_numpy(np.float64), orientation, params.min_eccentricity),
        raw_measures=raw_measures(frame, mpp),
        node_offsets=node_offsets,
    )


def raw_measures(frame: pd.DataFrame, mpp: float) -> Float64s:
    """The paper's twelve measures of each nucleus, float64 (n, 12), lengths in px and areas in px^2 at ``mpp``."""
    power = np.array([2 if name.endswith("_um2") else 1 if name.endswith("_um") else 0 for name in PAPER_MEASURES])
    measures: Float64s = frame[list(PAPER_MEASURES)].to_numpy(np.float64) / mpp**power
    return measures
