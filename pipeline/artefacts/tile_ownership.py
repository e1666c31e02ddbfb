"""That each nucleus has one owner: no two tiles that nuclei are counted in show the same tissue."""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from pipeline.artefacts.tiles import ROUNDING_L0
from pipeline.errors import ConfigError


def check_single_ownership(tiles: pd.DataFrame, slide_id: str) -> None:
    """Check that no two of ``tiles`` show the same tissue, as counting nuclei needs.

    Neighbours of a regular grid may overlap by ``ROUNDING_L0``.

    Raises
    ------
    ConfigError
        If two tiles overlap; names the first of them and its neighbour.
    """
    if len(tiles) < 2:
        return
    corners = tiles[["x_l0", "y_l0"]].to_numpy(np.float64)
    width = tiles["width_l0"].to_numpy(np.float64)
    distance, neighbour = cKDTree(corners).query(corners, k=2, p=np.inf)
    overlap = width - distance[:, 1]
    if not (overlap > ROUNDING_L0).any():
        return
    first = int(np.argmax(overlap > ROUNDING_L0))
    second = int(neighbour[first][neighbour[first] != first][0])
    one, other = tiles["tile_id"].to_numpy()[[first, second]]
    raise ConfigError(
        f"slide {slide_id}: tiles {one} and {other} overlap by {overlap[first]:.1f} level-0 px; expected tiles that "
        "share no tissue, so that each nucleus has one owner. Set tiling.overlap_px: 0 and tiling.edge: skip or pad, "
        "or give another file of coordinates in column `tiles`."
    )
