"""Patients to folds and roles: grouped, stratified by images, reproducible.

One rule does both.  Patients are taken in random order, those with many images first,
and each goes to the part that still lacks most of the patient's classes (as in
scikit-learn's StratifiedGroupKFold, but with unequal shares).
"""

from collections.abc import Collection, Sequence

import numpy as np

from pipeline.arrays import Float64s, Int64s
from pipeline.errors import CohortError
from pipeline.training.cohort.fold_plan import LEAST_PATIENTS, LabelledSlide, fold_faults, patients_by_class
from pipeline.training.params import SplitParams

ORDERINGS = 100
"""Random orders tried until every part that must hold every class does, by images and then by patients."""


def assign_folds(slides: Sequence[LabelledSlide], folds: int, rng: np.random.Generator) -> dict[str, int]:
    """Fold 0 to ``folds`` - 1 of each patient.

    Each fold holds images of every class, and outside each fold every class has
    ``LEAST_PATIENTS`` patients.

    Raises
    ------
    CohortError
        If a class has too few patients for so many folds, or no order of patients gives such folds.
    """
    faults = fold_faults(slides, folds)
    if faults:
        raise CohortError("; ".join(faults))
    parts = apportion(slides, [1 / folds] * folds, range(folds), rng, outside=LEAST_PATIENTS)
    if parts is None:
        raise CohortError(
            f"no way was found to give each of {folds} folds images of every class with whole patients "
            f"({_counted(slides)}); use fewer folds (splits.folds) or write the column fold of the sheet."
        )
    return parts


def assign_roles(slides: Sequence[LabelledSlide], params: SplitParams, rng: np.random.Generator) -> dict[str, str]:
    """Role ``train``, ``structure`` or ``select`` of each patient; the first two hold every class.

    Parameters
    ----------
    slides
        Those outside the test fold.

    Raises
    ------
    CohortError
        If a class has fewer than two patients here, or no order gives both roles every class.
    """
    shares = (1 - params.structure_share - params.select_share, params.structure_share, params.select_share)
    parts = apportion(slides, shares, (0, 1), rng)
    if parts is None:
        raise CohortError(
            "outside the test fold the roles train and structure each need images of every class, "
            f"from different patients; found {_counted(slides)}. "
            "Add patients, use more folds (splits.folds), or leave out the rare class."
        )
    names = ("train", "structure", "select")
    return {case_id: names[part] for case_id, part in parts.items()}


def apportion(
    slides: Sequence[LabelledSlide],
    shares: Sequence[float],
    whole: Collection[int],
    rng: np.random.Generator,
    outside: int = 0,
) -> dict[str, int] | None:
    """Part of each patient, with about ``shares`` of each class's images, or else of its patients, in the parts.

    Parameters
    ----------
    shares
        Share of each part, summing to 1; a part of share 0 stays empty.
    whole
        Parts that must hold every class.
    outside
        Patients of each class that must be outside each part.

    Returns
    -------
    Part by patient; None if no order tried fills the parts in ``whole``.
    """
    cases = sorted({slide.case_id for slide in slides})
    labels = sorted({slide.label for slide in slides})
    counts = np.zeros((len(cases), len(labels)), np.int64)
    for slide in slides:
        counts[cases.index(slide.case_id), labels.index(slide.label)] += 1
    present = (counts > 0).astype(np.int64)
    # Where shares of images cannot be met with enough patients in each part, shares of patients may be.
    for stratified in [counts] * ORDERINGS + [present] * ORDERINGS:
        part = _greedy(stratified, np.asarray(shares), list(whole), rng)
        patients = np.stack([present[part == p].sum(axis=0) for p in range(len(shares))])
        elsewhere = patients.sum(axis=0) - patients
        if (patients[list(whole)] > 0).all() and (elsewhere >= outside).all():
            return {case: int(p) for case, p in zip(cases, part, strict=True)}
    return None


def _greedy(counts: Int64s, shares: Float64s, whole: list[int], rng: np.random.Generator) -> Int64s:
    """Part of each patient, from what is shared out: images (patients, classes)."""
    total = counts.sum(axis=0)
    lacking = shares[:, None] * total
    # In a small cohort a share may come to less than one image, and the part must hold one all the same.
    lacking[whole] = np.maximum(lacking[whole], 1)
    part = np.zeros(len(counts), np.int64)
    order = rng.permutation(len(counts))
    for patient in order[np.argsort(-counts[order].sum(axis=1), kind="stable")]:
        # Fall of the squared error relative to each class's size; its quadratic term is the same for all parts.
        need = (lacking * counts[patient] / total**2).sum(axis=1)
        open_parts = np.flatnonzero(shares > 0)
        part[patient] = open_parts[np.argmax(need[open_parts])]
        lacking[part[patient]] -= counts[patient]
    return part


def _counted(slides: Sequence[LabelledSlide]) -> str:
    return ", ".join(f"{label}: {len(cases)} patients" for label, cases in patients_by_class(slides).items())
