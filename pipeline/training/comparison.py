"""Paired comparison of methods over the same images, with patients as the units."""

from collections.abc import Sequence

import numpy as np


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


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number, controlling the family-wise error (Holm 1979)."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in corrected]
