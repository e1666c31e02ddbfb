"""Co-occurrence of binned axes over neighbouring nuclei, and the thirteen statistics of Cell Orientation Entropy.

Lee, Ali, Veltri, Epstein, Christudass and Madabhushi 2013 ("Cell orientation entropy (COrE): predicting biochemical
recurrence from prostate cancer tissue microarrays", MICCAI) bin the axes in the image's own frame, so their values
turn with the section.  Here a bin is the angle to the *local mean axis* and differences are axial, so neither a
rotation nor a reflection of the tissue changes a value.  The published form is kept beside it (``plain_statistics``).
"""

import numpy as np

from pipeline.arrays import Float64s, Int64s
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


@compiled
def _axial_bin(relative_rad: float) -> int:
    return int(np.rint(relative_rad / BIN_RAD)) % N_BINS


@compiled
def axial_bins(relative_rad: Float64s) -> Int64s:
    """Bins 0 to 17 of finite angles (n,) to a mean axis; bin b is centred on 10 b degrees, so bin 0 is that axis."""
    bins = np.empty(len(relative_rad), np.int64)
    for place in range(len(bins)):
        bins[place] = _axial_bin(relative_rad[place])
    return bins


def cooccurrence(bin_a: Int64s, bin_b: Int64s, tile: Int64s, n_tiles: int) -> Float64s:
    """Symmetric relative frequency of pairs of bins, float64 (n_tiles, 18, 18); NaN for a tile without pairs."""
    flat = (tile * N_BINS + bin_a) * N_BINS + bin_b
    counts = np.bincount(flat, minlength=n_tiles * N_BINS**2).reshape(n_tiles, N_BINS, N_BINS)
    symmetric = (counts + counts.transpose(0, 2, 1)).astype(np.float64)
    total = symmetric.sum(axis=(1, 2), keepdims=True)
    frequency: Float64s = symmetric / np.where(total > 0, total, np.nan)
    return frequency


def core_statistics(frequency: Float64s) -> Float64s:
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
        _matrix_statistics(frequency[tile], True, statistics[tile])
    return statistics


def entropy(distribution: Float64s) -> Float64s:
    """Shannon entropy (n,) in nats of each row of shares (n, k); NaN for a row with a NaN."""
    return np.array([np.nan if np.isnan(row).any() else _entropy(row, 1.0) for row in distribution], np.float64)


@compiled
def _entropy(counts: Float64s, total: float) -> float:
    entropy = 0.0
    for count in counts:
        if count > 0.0:
            entropy -= count / total * np.log(count / total)
    return entropy + 0.0


@compiled
def _matrix_statistics(counts: Float64s, axial: bool, out: Float64s) -> None:
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


@compiled
def neighbourhood_statistics(edge_offsets: Int64s, targets: Int64s, theta: Float64s, reference: Float64s) -> Float64s:
    """Invariant statistics of the edges among each nucleus and its neighbours.

    Parameters
    ----------
    edge_offsets, targets
        int64 (n + 1,) and (n_edges,), neighbours of each nucleus, both directions.
    theta
        float64 (n,), axes in radians.
    reference
        float64 (n,), the axis that angles around each nucleus are taken relative to; NaN where there is none.

    Returns
    -------
    numpy.ndarray
        float64 (n, 13), see ``core_statistics``; NaN without a ``reference``.
    """
    statistics = np.full((len(theta), N_STATISTICS), np.nan)
    bins, counts = np.full(len(theta), -1, np.int64), np.empty((N_BINS, N_BINS))
    for node in range(len(theta)):
        if np.isnan(reference[node]):
            continue
        counts[:] = 0.0
        neighbours = targets[edge_offsets[node] : edge_offsets[node + 1]]
        bins[node] = _axial_bin(theta[node] - reference[node])
        for member in neighbours:
            bins[member] = _axial_bin(theta[member] - reference[node])
        for member in neighbours:
            # An edge between two neighbours comes once from either, one to ``node`` only from here.
            counts[bins[node], bins[member]] += 1.0
            counts[bins[member], bins[node]] += 1.0
            for other in targets[edge_offsets[member] : edge_offsets[member + 1]]:
                if other != node and bins[other] >= 0:
                    counts[bins[member], bins[other]] += 1.0
        _matrix_statistics(counts, True, statistics[node])
        bins[node] = -1
        bins[neighbours] = -1
    return statistics


@compiled
def plain_statistics(bins: Int64s, offsets: Int64s) -> Float64s:
    """Published statistics of the pairs of ``bins`` of each group, whose differences are plain.

    Parameters
    ----------
    bins
        int64 (2, n_pairs), 0 to 17, grouped.
    offsets
        int64 (n_groups + 1,); no group is empty.

    Returns
    -------
    numpy.ndarray
        float64 (n_groups, 13), in the order of ``CORE_NAMES``; contrast and intensity are 0 to 17 bins.
    """
    statistics = np.full((len(offsets) - 1, N_STATISTICS), np.nan)
    counts = np.empty((N_BINS, N_BINS))
    for group in range(len(offsets) - 1):
        counts[:] = 0.0
        for pair in range(offsets[group], offsets[group + 1]):
            counts[bins[0, pair], bins[1, pair]] += 1.0
            counts[bins[1, pair], bins[0, pair]] += 1.0
        _matrix_statistics(counts, False, statistics[group])
    return statistics
