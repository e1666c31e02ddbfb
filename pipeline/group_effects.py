"""How much of the variation of features between images groups of these explain."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.arrays import Float64s


def group_effects(names: Sequence[str], grouping: str, groups: Sequence[str | None], means: Float64s) -> pd.DataFrame:
    """One-way analysis of variance of the means of images over groups, feature by feature.

    Parameters
    ----------
    names
        n_features names.
    grouping
        Name of the way in which images are grouped.
    groups
        Group of each image; None of one that is in none.
    means
        float64 (n_images, n_features); NaN where an image does not define a feature.

    Returns
    -------
    One row a feature: ``feature``, ``grouping``, ``n_groups``, ``n_images``; ``eta_squared``, the share of the
    variation that groups explain; ``omega_squared``, freed of what chance explains (Hays 1963); ``p`` of the F-test.
    NaN where undefined.
    """
    grouped = np.array([group is not None for group in groups])
    distinct, group = np.unique([g for g in groups if g is not None], return_inverse=True)
    x = means[grouped]
    defined = ~np.isnan(x)
    members = np.stack([defined[group == g].sum(axis=0) for g in range(len(distinct))] or [np.zeros(x.shape[1])])
    totals = np.stack([np.nansum(x[group == g], axis=0) for g in range(len(distinct))] or [np.zeros(x.shape[1])])
    n, k = members.sum(axis=0), (members > 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        grand = totals.sum(axis=0) / n
        between = np.nansum(members * (totals / members - grand) ** 2, axis=0)
        whole = np.nansum((x - grand) ** 2, axis=0)
        within = (whole - between) / np.where(n > k, n - k, np.nan)
        varies = np.where(whole > 0, whole, np.nan)
        omega = (between - (k - 1) * within) / (varies + within)
        p = stats.f.sf(between / (k - 1) / within, k - 1, n - k)
    return pd.DataFrame(
        {
            "feature": names,
            "grouping": grouping,
            "n_groups": k,
            "n_images": n,
            "eta_squared": np.where(k > 1, between / varies, np.nan),
            "omega_squared": np.where(k > 1, omega, np.nan),
            "p": np.where(k > 1, p, np.nan),
        }
    )
