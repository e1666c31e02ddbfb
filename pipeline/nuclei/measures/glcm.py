"""Grey-level co-occurrence of all nuclei of a label image at once (Haralick et al. 1973).

Frame: pixels of the label image, arrays (row, col).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Float64s, Int64s
from pipeline.compiled import compiled
from pipeline.nuclei.labels import Labels

LEVELS = 8
"""Grey levels of ABiG-Net's texture measures: 0 to 255 in steps of 32."""


def quantise(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Level 0 to ``LEVELS`` - 1 of each grey value, of the same shape."""
    return (grey // (256 // LEVELS)).astype(np.uint8)


def cooccurrence(labels: Labels, levels: npt.NDArray[np.uint8], boxes: Int64s) -> Float64s:
    """Symmetric, normed co-occurrence of horizontal neighbours within each nucleus' bounding box.

    Pixels of the box outside the nucleus count as level 0, as in ABiG-Net.

    Parameters
    ----------
    labels
        (h, w), nuclei 1 to n.
    levels
        (h, w), 0 to ``LEVELS`` - 1.
    boxes
        Half-open bounding boxes (n, 4) as row0, col0, row1, col1.

    Returns
    -------
    (n, LEVELS, LEVELS); all zero for a box one pixel wide.
    """
    counts = np.zeros((len(boxes), LEVELS, LEVELS))
    _count_pairs(np.ascontiguousarray(labels), levels, boxes, counts)
    pairs = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1] - 1)
    counts[:, 0, 0] += pairs - counts.sum(axis=(1, 2))
    symmetric = counts + counts.transpose(0, 2, 1)
    normed: Float64s = symmetric / np.maximum(symmetric.sum(axis=(1, 2), keepdims=True), 1)
    return normed


def glcm_measures(matrices: Float64s) -> dict[str, Float64s]:
    """Contrast, energy, correlation, homogeneity and angular second moment (n,) of normed matrices (n, L, L).

    Definitions as in ``skimage.feature.graycoprops``; the correlation of an even field is 1.
    """
    level = np.arange(matrices.shape[1], dtype=np.float64)
    squared = (level[:, None] - level[None, :]) ** 2
    asm = (matrices**2).sum(axis=(1, 2))
    return {
        "glcm_contrast": (matrices * squared).sum(axis=(1, 2)),
        "glcm_energy": np.sqrt(asm),
        "glcm_correlation": _correlation(matrices, level),
        "glcm_homogeneity": (matrices / (1 + squared)).sum(axis=(1, 2)),
        "glcm_asm": asm,
    }


@compiled
def _count_pairs(labels: Any, levels: Any, boxes: Any, counts: Any) -> None:
    """Count the pairs with a pixel of the nucleus, left one first."""
    height, width = labels.shape
    for r in range(height):
        for c in range(width):
            label = labels[r, c]
            if label == 0:
                continue
            own = levels[r, c]
            if c + 1 < boxes[label - 1, 3]:
                counts[label - 1, own, levels[r, c + 1] if labels[r, c + 1] == label else 0] += 1
            if c > boxes[label - 1, 1] and labels[r, c - 1] != label:
                counts[label - 1, 0, own] += 1


def _correlation(matrices: Float64s, level: Float64s) -> Float64s:
    # A symmetric matrix has the same mean and variance along rows and columns.
    marginal = matrices.sum(axis=2)
    mean = marginal @ level
    variance = marginal @ level**2 - mean**2
    product = np.einsum("nij,i,j->n", matrices, level, level)
    even = variance < 1e-12
    correlation: Float64s = np.where(even, 1.0, (product - mean**2) / np.where(even, 1.0, variance))
    return correlation
