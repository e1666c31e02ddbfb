"""Whether a number of images differs between classes, when patients and not images are independent."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import kruskal, mannwhitneyu

from pipeline.arrays import Float64s
from pipeline.training.evaluation.paired_tests import holm


def patient_means(values: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Mean of each number over the images of a patient in a class.

    Parameters
    ----------
    values
        One row an image: case_id, label, and the columns ``names``.
    """
    return values.groupby(["case_id", "label"], as_index=False)[list(names)].mean()


def class_tests(values: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Kruskal-Wallis over the classes, one row a number, with the patient as the unit.

    Columns ``name``, ``n_patients``, ``h``, ``p``, ``q`` (Benjamini and Hochberg 1995 over all
    numbers), ``epsilon_squared`` (share of the variance of ranks between classes, H / (n - 1)),
    and ``median_{class}``.  A number that does not vary, or is defined in one class only, has no p.
    """
    means = patient_means(values, names)
    classes = sorted(set(means["label"]))
    rows = []
    for name in names:
        groups = [_defined(means.loc[means["label"] == label, name]) for label in classes]
        rows.append({"name": name, **_kruskal_wallis(groups), **_medians(classes, groups)})
    table = pd.DataFrame(rows)
    table.insert(4, "q", false_discovery(table["p"].to_numpy()))
    return table


def pairwise_tests(values: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Mann-Whitney between every two classes, with the patient as the unit.

    Columns ``name``, ``one``, ``other``, ``p``, ``p_holm`` (Holm 1979 over all pairs and numbers) and
    ``cliffs_delta`` (share of pairs of patients in which the first class has more, less that in
    which it has less; Cliff 1993).  A number that does not vary has neither.
    """
    means = patient_means(values, names)
    rows = []
    for name in names:
        for one, other in itertools.combinations(sorted(set(means["label"])), 2):
            groups = [_defined(means.loc[means["label"] == label, name]) for label in (one, other)]
            rows.append({"name": name, "one": one, "other": other, **_mann_whitney(*groups)})
    table = pd.DataFrame(rows, columns=["name", "one", "other", "p", "cliffs_delta"])
    table.insert(4, "p_holm", holm(table["p"].tolist()))
    return table


def false_discovery(p_values: Float64s) -> Float64s:
    """Smallest false discovery rate at which each is found (Benjamini and Hochberg 1995); NaN stay and do not count."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")[: int(np.isfinite(p).sum())]
    n = len(order)
    steps = p[order] * n / np.arange(1, n + 1)
    q = np.full_like(p, math.nan)
    q[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return q


def _defined(values: "pd.Series[float]") -> Float64s:
    numbers = values.to_numpy(np.float64)
    return np.asarray(numbers[np.isfinite(numbers)])


def _medians(classes: Sequence[str], groups: Sequence[Float64s]) -> dict[str, float]:
    return {
        f"median_{label}": float(np.median(group)) if len(group) else math.nan
        for label, group in zip(classes, groups, strict=True)
    }


def _kruskal_wallis(groups: Sequence[Float64s]) -> dict[str, float]:
    some = [group for group in groups if len(group)]
    n = sum(map(len, some))
    if len(some) < 2 or np.ptp(np.concatenate(some)) == 0:
        return {"n_patients": n, "h": math.nan, "p": math.nan, "epsilon_squared": math.nan}
    h, p = kruskal(*some)
    return {"n_patients": n, "h": float(h), "p": float(p), "epsilon_squared": float(h) / (n - 1)}


def _mann_whitney(one: Float64s, other: Float64s) -> dict[str, float]:
    if not len(one) or not len(other) or np.ptp(np.concatenate([one, other])) == 0:
        return {"p": math.nan, "cliffs_delta": math.nan}
    u, p = mannwhitneyu(one, other, alternative="two-sided")
    return {"p": float(p), "cliffs_delta": 2 * float(u) / (len(one) * len(other)) - 1}
