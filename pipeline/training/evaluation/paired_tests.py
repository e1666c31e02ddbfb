"""Whether two methods differ: tests over patients and over folds, and their correction for many methods."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student_t


def sign_flip_p(differences: Sequence[int]) -> float:
    """Exact two-sided sign-flip test of a mean of 0.

    Under the null hypothesis each unit's difference is as likely d as -d, independently
    of the others.  The p-value is the share of all 2^n choices of signs whose |sum| is at
    least the observed one, counted by convolution, hence exact for any n.  With
    differences of +1 and -1 it is McNemar's exact test.

    Parameters
    ----------
    differences
        Integers, one a unit: images that one method has right and the other has not.
    """
    sizes = np.abs(np.asarray(differences, np.int64))
    sizes = sizes[sizes > 0]
    observed = abs(int(np.sum(differences)))
    total = int(sizes.sum())
    # chance[k] is the probability of a sum of k - total.
    chance = np.zeros(2 * total + 1)
    chance[total] = 1.0
    for size in sizes:
        chance = (np.roll(chance, size) + np.roll(chance, -size)) / 2
    sums = np.arange(-total, total + 1)
    return float(min(1.0, chance[np.abs(sums) >= observed].sum()))


def corrected_resampled_p(differences: Sequence[float], test_per_train: float) -> float:
    r"""Two-sided t-test of a mean of 0 over folds that share training images (Nadeau and Bengio 2003, eq. 9).

    .. math:: t = \bar d \Big/ \sqrt{(1 / J + n_{test} / n_{train})\, s^2}, \quad J - 1 \text{ degrees of freedom}

    The plain paired t-test takes folds for independent and calls too much significant.

    Parameters
    ----------
    differences
        One a fold and seed, J in all.
    test_per_train
        Images of a test fold by those outside it.

    Returns
    -------
    NaN where the differences do not vary, or there is only one.
    """
    d = np.asarray(differences, np.float64)
    if len(d) < 2 or np.ptp(d) == 0:
        return math.nan
    statistic = d.mean() / math.sqrt((1 / len(d) + test_per_train) * d.var(ddof=1))
    return float(2 * student_t.sf(abs(statistic), len(d) - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number, controlling the family-wise error (Holm 1979); NaN stay and do not count."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")[: int(np.isfinite(p).sum())]
    stepped = np.maximum.accumulate(p[order] * (len(order) - np.arange(len(order))))
    corrected = np.full_like(p, math.nan)
    corrected[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in corrected]
