"""An image of a planted cohort and its truth, and where its patches lie."""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Float32s, Int64s

TILE_PX = 256
MPP = 0.5


@dataclass(frozen=True)
class PlantedImage:
    """One image of the cohort and its truth.

    Attributes
    ----------
    slide_id, case_id, label
        Names; the label is ``"0"`` or ``"1"``.
    features
        float32 (n_patches, n_features).
    coords
        int64 (n_patches, 2), level-0 (x, y) of each tile's top-left corner.
    pairs
        int64 (2, n_pairs), rows of ``features`` that belong together: the true edges.
    fold
        Test fold that the sheet names, or None where folds are drawn.
    hospital
        Where the patient was treated, or None where it makes no difference.
    """

    slide_id: str
    case_id: str
    label: str
    features: Float32s
    coords: Int64s
    pairs: Int64s
    fold: int | None = None
    hospital: str | None = None


def grid_coords(n_patches: int) -> Int64s:
    """Top-left corners of tiles that fill a square row by row, level-0 (x, y), int64 (n_patches, 2)."""
    columns = int(np.ceil(np.sqrt(n_patches)))
    position = np.arange(n_patches)
    return np.asarray(np.stack([position % columns, position // columns], axis=1) * TILE_PX, np.int64)
