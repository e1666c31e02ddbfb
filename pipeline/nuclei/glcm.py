"""Grey-level co-occurrence of all nuclei of a label image at once (Haralick et al. 1973).

Frame: pixels of the label image, arrays (row, col).
"""

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

LEVELS = 8
"""Grey levels of ABiG-Net's texture measures: 0 to 255 in steps of 32."""


def quantise(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Level 0 to ``LEVELS`` - 1 of each grey value."""
    return (grey // (256 // LEVELS)).astype(np.uint8)


def cooccurrence(labels: Labels, levels: npt.NDArray[np.uint8], boxes: npt.NDArray[np.int64]) -> Floats:
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
    n_nuclei = len(boxes)
    rows, cols = np.nonzero(labels)
    owner = labels[rows, cols]
    own = levels[rows, cols].astype(np.int64)
    right_label, right_level = _neighbour(labels, levels, rows, cols + 1)
    left_label, _ = _neighbour(labels, levels, rows, cols - 1)
    inner = right_label == owner
    ends = ~inner & (cols + 1 < boxes[owner - 1, 3])
    starts = (left_label != owner) & (cols - 1 >= boxes[owner - 1, 1])

    counts = _count(owner[inner], own[inner], right_level[inner], n_nuclei)
    counts += _count(owner[ends], own[ends], np.zeros_like(own[ends]), n_nuclei)
    counts += _count(owner[starts], np.zeros_like(own[starts]), own[starts], n_nuclei)
    pairs = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1] - 1)
    counts[:, 0, 0] += pairs - counts.sum(axis=(1, 2))
    symmetric = counts + counts.transpose(0, 2, 1)
    normed: Floats = symmetric / np.maximum(symmetric.sum(axis=(1, 2), keepdims=True), 1)
    return normed


def glcm_measures(matrices: Floats) -> dict[str, Floats]:
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


def _neighbour(
    labels: Labels, levels: npt.NDArray[np.uint8], rows: npt.NDArray[np.intp], cols: npt.NDArray[np.intp]
) -> tuple[Labels, npt.NDArray[np.int64]]:
    inside = (cols >= 0) & (cols < labels.shape[1])
    held = np.clip(cols, 0, labels.shape[1] - 1)
    return np.where(inside, labels[rows, held], 0), levels[rows, held].astype(np.int64)


def _count(owner: Labels, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64], n_nuclei: int) -> Floats:
    flat = ((owner.astype(np.int64) - 1) * LEVELS + first) * LEVELS + second
    counts = np.bincount(flat, minlength=n_nuclei * LEVELS * LEVELS)
    return counts.reshape(n_nuclei, LEVELS, LEVELS).astype(np.float64)


def _correlation(matrices: Floats, level: Floats) -> Floats:
    # A symmetric matrix has the same mean and variance along rows and columns.
    marginal = matrices.sum(axis=2)
    mean = marginal @ level
    variance = marginal @ level**2 - mean**2
    product = np.einsum("nij,i,j->n", matrices, level, level)
    even = variance < 1e-12
    correlation: Floats = np.where(even, 1.0, (product - mean**2) / np.where(even, 1.0, variance))
    return correlation
