"""Names for the arrays of the pipeline: each says its dtype."""

import numpy as np
import numpy.typing as npt

Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Rgb = npt.NDArray[np.uint8]
"""Colours (..., 3), red, green and blue, 0 to 255."""
