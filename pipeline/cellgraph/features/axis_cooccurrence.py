"""Co-occurrence of binned axes over neighbouring nuclei, and the thirteen statistics of Cell Orientation Entropy.

Lee, Ali, Veltri, Epstein, Christudass and Madabhushi 2013 ("Cell orientation entropy (COrE): predicting biochemical
recurrence from prostate cancer tissue microarrays", MICCAI) bin the axes in the image's own frame, so their values
turn with the section.  Here a bin is the angle to the *local mean axis* and differences are axial, so neither a
rotation nor a reflection of the tissue changes a value; and one matrix pools a whole patch instead of one for each
cluster of cells.
"""

import numpy as np

from pipeline.cellgraph.graphs.csr import Floats, Ints

N_BINS = 18
"""Bins of 10 degrees over the 180 degrees of an axis (Lee et al. 2013)."""

BIN_RAD = np.pi / N_BINS

ZERO = 1e-12
"""Guard: variances and entropies below this are 0; sines of multiples of pi and logarithms of 1 are not exactly so."""

CORE_NAMES = (
    "core_contrast_energy",
    "core_contrast_inverse_moment",
    "core_contrast_mean",
    "core_contrast_variance",
    "core_contrast_entropy",
    "core_intensity_mean",
    "core_intensity_variance",
    "core_intensity_entropy",
    "core_entropy",
    "core_energy",
    "core_correlation",
    "core_information_1",
    "core_information_2",
)


def axial_bin(relative_rad: Floats) -> Ints:
    """Bin 0 to 17 of an angle to the local mean axis; bin b is centred on 10 b degrees, so bin 0 is the mean axis."""
    bins: Ints = np.mod(np.rint(relative_rad / BIN_RAD).astype(np.int64), N_BINS)
    return bins


def cooccurrence(bin_a: Ints, bin_b: Ints, tile: Ints, n_tiles: int) -> Floats:
    """Symmetric relative frequency of pairs of bins, float64 (n_tiles, 18, 18); NaN for a tile without pairs."""
    flat = (tile * N_BINS + bin_a) * N_BINS + bin_b
    counts = np.bincount(flat, minlength=n_tiles * N_BINS**2).reshape(n_tiles, N_BINS, N_BINS)
    symmetric = (counts + counts.transpose(0, 2, 1)).astype(np.float64)
    total = symmetric.sum(axis=(1, 2), keepdims=True)
    frequency: Floats = symmetric / np.where(total > 0, total, np.nan)
    return frequency


def core_statistics(frequency: Floats) -> Floats:
    """The thirteen statistics of each co-occurrence matrix.

    Parameters
    ----------
    frequency
        float64 (n_tiles, 18, 18), as from ``cooccurrence``.

    Returns
    -------
    numpy.ndarray
        float64 (n_tiles, 13), see ``CORE_NAMES``.  Contrast is the axial distance of the two bins, 0 to 9; intensity
        the mean of the two bins' axial distances from the local mean axis, 0 to 9; both in bins of 10 degrees.
        Entropies are in nats.  NaN for a matrix of NaN, for the correlation of a constant and for information that
        has no entropy to share.
    """
    deviation = np.minimum(np.arange(N_BINS), N_BINS - np.arange(N_BINS))
    between = np.abs(np.subtract.outer(np.arange(N_BINS), np.arange(N_BINS)))
    contrast = np.minimum(between, N_BINS - between)
    intensity = np.add.outer(deviation, deviation) / 2.0
    contrasts, intensities = _distribution(frequency, contrast), _distribution(frequency, intensity)
    k, level = np.unique(contrast), np.unique(intensity)
    columns = [
        contrasts @ k**2.0,
        contrasts @ (1.0 / (1.0 + k**2.0)),
        *_moments(contrasts, k),
        entropy(contrasts),
        *_moments(intensities, level),
        entropy(intensities),
        entropy(frequency.reshape(len(frequency), -1)),
        (frequency**2).sum(axis=(1, 2)),
        _correlation(frequency),
        *_information(frequency),
    ]
    return np.stack(columns, axis=1)


def _distribution(frequency: Floats, value: Floats | Ints) -> Floats:
    """Frequency of each distinct ``value`` (18, 18), (n_tiles, n_values)."""
    distinct, where = np.unique(value, return_inverse=True)
    chosen = where.reshape(-1, 1) == np.arange(len(distinct))
    distribution: Floats = frequency.reshape(len(frequency), -1) @ chosen.astype(np.float64)
    return distribution


def _moments(distribution: Floats, values: Floats | Ints) -> tuple[Floats, Floats]:
    mean = distribution @ values
    return mean, (distribution * (values - mean[:, None]) ** 2).sum(axis=1)


def entropy(distribution: Floats) -> Floats:
    """Shannon entropy in nats of each row; NaN for a row of NaN."""
    logarithm = np.log(np.where(distribution > 0, distribution, 1.0))
    total: Floats = -(distribution * logarithm).sum(axis=-1)
    # A sum of zeros comes out as -0.
    return total + 0.0


def _correlation(frequency: Floats) -> Floats:
    """Circular correlation (Jammalamadaka and Sarma 1988) of the doubled angles, their mean axis being 0."""
    value = np.sin(2.0 * BIN_RAD * np.arange(N_BINS))
    product = np.einsum("tab,a,b->t", frequency, value, value)
    square = frequency.sum(axis=2) @ value**2
    correlation: Floats = product / np.where(square > ZERO, square, np.nan)
    return correlation


def _information(frequency: Floats) -> tuple[Floats, Floats]:
    """Haralick's two measures of shared information; the matrix is symmetric, so both margins are the same."""
    margin = frequency.sum(axis=2)
    joint, single = entropy(frequency.reshape(len(frequency), -1)), entropy(margin)
    # With equal margins HXY1 and HXY2 are both twice the entropy of the margin.
    shared = np.maximum(2.0 * single - joint, 0.0)
    return -shared / np.where(single > ZERO, single, np.nan), np.sqrt(1.0 - np.exp(-2.0 * shared))
