"""Co-occurrence of binned axes over neighbouring nuclei, and the thirteen statistics of Cell Orientation Entropy.

Lee, Ali, Veltri, Epstein, Christudass and Madabhushi 2013 ("Cell orientation entropy (COrE): predicting biochemical
recurrence from prostate cancer tissue microarrays", MICCAI) bin the axes in the image's own frame, so their values
turn with the section.  Here a bin is the angle to the *local mean axis* and differences are axial, so neither a
rotation nor a reflection of the tissue changes a value; and one matrix pools a whole patch instead of one for each
cluster of cells.
"""

import numpy as np

from pipeline.cellgraph.graphs.csr import Floats, Ints
from pipeline.compiled import compiled

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


N_STATISTICS = len(CORE_NAMES)


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
    statistics = np.full((len(frequency), N_STATISTICS), np.nan)
    for tile in np.flatnonzero(~np.isnan(frequency).any(axis=(1, 2))):
        matrix_statistics(frequency[tile], True, statistics[tile])
    return statistics


def entropy(distribution: Floats) -> Floats:
    """Shannon entropy in nats of each row; NaN for a row of NaN."""
    return np.array([np.nan if np.isnan(row).any() else _entropy(row, 1.0) for row in distribution], np.float64)


@compiled
def _entropy(counts: Floats, total: float) -> float:
    entropy = 0.0
    for count in counts:
        if count > 0.0:
            entropy -= count / total * np.log(count / total)
    return entropy + 0.0


@compiled
def matrix_statistics(counts: Floats, axial: bool, out: Floats) -> None:
    """The thirteen statistics of one symmetric matrix of counts (18, 18), see ``core_statistics``.

    ``axial`` takes differences and deviations around the half turn and correlates sines of the doubled angles;
    otherwise both are plain differences of bin numbers and the correlation is Pearson's.
    """
    total = counts.sum()
    contrasts, doubled_levels, margin = np.zeros(N_BINS), np.zeros(2 * N_BINS), np.zeros(N_BINS)
    energy, product = 0.0, 0.0
    for a in range(N_BINS):
        for b in range(N_BINS):
            if counts[a, b] == 0.0:
                continue
            gap, level = abs(a - b), a + b
            if axial:
                gap, level = min(gap, N_BINS - gap), min(a, N_BINS - a) + min(b, N_BINS - b)
            contrasts[gap] += counts[a, b]
            doubled_levels[level] += counts[a, b]
            margin[a] += counts[a, b]
            energy += (counts[a, b] / total) ** 2
    k, level_values = np.arange(N_BINS) * 1.0, np.arange(2 * N_BINS) / 2.0
    contrasts_p, levels_p = contrasts / total, doubled_levels / total
    value = np.sin(2.0 * BIN_RAD * k) if axial else k - (margin * k).sum() / total
    for a in range(N_BINS):
        for b in range(N_BINS):
            product += counts[a, b] / total * value[a] * value[b]
    square = (margin * value**2).sum() / total
    joint, single = _entropy(counts.ravel(), total), _entropy(margin, total)
    shared = max(2.0 * single - joint, 0.0)
    contrast_mean, level_mean = (contrasts_p * k).sum(), (levels_p * level_values).sum()
    out[0] = (contrasts_p * k**2).sum()
    out[1] = (contrasts_p / (1.0 + k**2)).sum()
    out[2] = contrast_mean
    out[3] = (contrasts_p * (k - contrast_mean) ** 2).sum()
    out[4] = _entropy(contrasts, total)
    out[5] = level_mean
    out[6] = (levels_p * (level_values - level_mean) ** 2).sum()
    out[7] = _entropy(doubled_levels, total)
    out[8] = joint
    out[9] = energy
    out[10] = product / square if square > ZERO else np.nan
    out[11] = -shared / single if single > ZERO else np.nan
    out[12] = np.sqrt(1.0 - np.exp(-2.0 * shared))
