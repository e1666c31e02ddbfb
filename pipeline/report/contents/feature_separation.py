"""Which features separate the classes, and whether patients of one class differ more than classes do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.arrays import Float32s, Float64s
from pipeline.artefacts.feature_parts import open_features
from pipeline.group_effects import group_effects
from pipeline.report.contents.cohort_outcome import SlideSummary

ORIENTATION_WORDS = ("axi", "nematic", "orientation", "core_")
OF_SINGLE_NUCLEI = "nucleus_"
"""A feature whose name holds one of the words, and does not begin so, is of how the axes of nuclei lie."""

EXAMPLE_SHARES = (0.02, 0.98)
"""Quantiles between which patches of each image are passed over as examples of low and high values."""


@dataclass(frozen=True)
class FeatureSeparation:
    """Effects of class and patient on the means of images, one row a feature, the most separating first.

    Attributes
    ----------
    table
        ``feature``; ``class_omega``, the share of the variation between images that the class explains beyond chance;
        ``class_p``; ``patient_omega``, what patients of one class explain beyond that, NaN without patients of several
        images; and ``mean_<class>`` of each class.
    n_images, n_patients
        Compared.
    """

    table: pd.DataFrame
    n_images: int
    n_patients: int

    @property
    def has_patients(self) -> bool:
        """Whether some patients have several images, so that their effect is known."""
        return bool(self.table["patient_omega"].notna().any())

    def patients_outweigh(self, n: int = 10) -> bool:
        """Whether patients of one class differ more than classes do, in the median of the ``n`` best features."""
        best = self.table.head(n)
        return self.has_patients and bool(best["patient_omega"].median() > best["class_omega"].median())


def feature_separation(slides: Sequence[SlideSummary], features: Mapping[str, Path]) -> FeatureSeparation | None:
    """Effects on the features of labelled slides; None without features, or where stores hold different ones.

    One image is read at a time.
    """
    names: tuple[str, ...] | None = None
    kept, means = [], []
    for slide in slides:
        opened = _opened(features.get(slide.row.slide_id))
        if opened is None or not opened[1].size:
            continue
        if names is not None and opened[0] != names:
            return None
        names = opened[0]
        kept.append(slide)
        means.append(_defined_means(opened[1]))
    if names is None or len({slide.row.label for slide in kept}) < 2:
        return None
    return _separation(names, kept, np.stack(means))


def _separation(names: Sequence[str], slides: Sequence[SlideSummary], means: Float64s) -> FeatureSeparation:
    labels = [str(slide.row.label) for slide in slides]
    patients = [slide.row.case_id or slide.row.slide_id for slide in slides]
    # A patient with images of several classes counts as one in each, so that patients lie within classes.
    within = [f"{label}\n{patient}" for label, patient in zip(labels, patients, strict=True)]
    by_class, by_patient = (
        group_effects(names, grouping, groups, means) for grouping, groups in (("class", labels), ("patient", within))
    )
    table = pd.DataFrame(
        {
            "feature": list(names),
            "class_omega": by_class["omega_squared"],
            "class_p": by_class["p"],
            "patient_omega": by_patient["omega_squared"] - by_class["omega_squared"],
        }
    )
    for name in sorted(set(labels)):
        table[f"mean_{name}"] = _defined_means(means[[label == name for label in labels]])
    ordered = table.sort_values("class_omega", ascending=False, na_position="last", kind="stable")
    return FeatureSeparation(ordered.reset_index(drop=True), len(slides), len(set(patients)))


def is_orientation(feature: str) -> bool:
    """Whether a feature is of how the axes of nuclei lie, by its name; lengths of axes are not."""
    return not feature.startswith(OF_SINGLE_NUCLEI) and any(word in feature for word in ORIENTATION_WORDS)


def extreme_patches(
    feature: str, slides: Sequence[SlideSummary], features: Mapping[str, Path], n: int
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Patches with low and with high values of a feature: slide and row, at most one a slide and end.

    Parameters
    ----------
    n
        Patches of each end.
    """
    ends: tuple[list[tuple[float, str, int]], list[tuple[float, str, int]]] = ([], [])
    for slide in slides:
        opened = _opened(features.get(slide.row.slide_id))
        if opened is None or feature not in opened[0]:
            continue
        values = opened[1][:, opened[0].index(feature)].astype(np.float64)
        defined = np.flatnonzero(~np.isnan(values))
        if len(defined):
            order = defined[np.argsort(values[defined], kind="stable")]
            for end, share in zip(ends, EXAMPLE_SHARES, strict=True):
                row = int(order[round(share * (len(order) - 1))])
                end.append((float(values[row]), slide.row.slide_id, row))
    low, high = sorted(ends[0])[:n], sorted(ends[1], reverse=True)[:n]
    return [(slide_id, row) for _, slide_id, row in low], [(slide_id, row) for _, slide_id, row in high]


def _opened(path: Path | None) -> tuple[tuple[str, ...], Float32s] | None:
    """Names and values of a store; None of one that is no feature cache (an .h5 of others has no named features)."""
    if path is None or path.suffix != ".zarr":
        return None
    cache = open_features(path)
    return cache.feature_names, cache.read()


def _defined_means(values: Float32s | Float64s) -> Float64s:
    """Mean of each column over its defined values; NaN without one."""
    defined = ~np.isnan(values)
    n = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0, dtype=np.float64)
    mean: Float64s = total / np.where(n > 0, n, np.nan)
    return mean
