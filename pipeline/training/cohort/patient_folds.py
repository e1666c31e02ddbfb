"""Patients to folds and roles: grouped, stratified by images, reproducible.

One rule does both.  Patients are taken in random order, those with many images first,
and each goes to the part that still lacks most of the patient's classes (as in
scikit-learn's StratifiedGroupKFold, but with unequal shares).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import CohortError
from pipeline.training.params import SplitParams

ORDERINGS = 100
"""Random orders tried until every part that must hold every class does."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LabelledSlide:
    """What splitting needs to know of a slide; ``fold`` is the sheet's, if it has one."""

    slide_id: str
    case_id: str
    label: str
    fold: int | None = None


def assign_folds(slides: Sequence[LabelledSlide], folds: int, rng: np.random.Generator) -> dict[str, int]:
    """Fold 0 to ``folds`` - 1 of each patient; each fold holds images of every class.

    Raises
    ------
    CohortError
        If a class has fewer patients than folds, or no order of patients gives every
        fold every class.
    """
    patients = patients_by_class(slides)
    short = {label: len(cases) for label, cases in patients.items() if len(cases) < folds}
    if short:
        found = ", ".join(f"{label}: {count} patients" for label, count in sorted(short.items()))
        most = min(short.values())
        remedy = f"Use at most {most} folds (splits.folds)" if most > 1 else "Leave the class out"
        raise CohortError(
            f"{folds} folds need at least {folds} patients of each class, found {found}. {remedy}, or add patients."
        )
    parts = apportion(slides, [1 / folds] * folds, range(folds), rng)
    if parts is None:
        raise CohortError(
            f"no way was found to give each of {folds} folds images of every class with whole patients "
            f"({_counted(patients)}); use fewer folds (splits.folds) or write the column fold of the sheet."
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
    patients = patients_by_class(slides)
    shares = (1 - params.structure_share - params.select_share, params.structure_share, params.select_share)
    parts = apportion(slides, shares, (0, 1), rng)
    if parts is None:
        raise CohortError(
            "outside the test fold the roles train and structure each need images of every class, "
            f"from different patients; found {_counted(patients)}. "
            "Add patients, use more folds (splits.folds), or leave out the rare class."
        )
    names = ("train", "structure", "select")
    return {case_id: names[part] for case_id, part in parts.items()}


def patients_by_class(slides: Sequence[LabelledSlide]) -> Mapping[str, Collection[str]]:
    """Patients that have images of each class."""
    patients: dict[str, set[str]] = {}
    for slide in slides:
        patients.setdefault(slide.label, set()).add(slide.case_id)
    return patients


def apportion(
    slides: Sequence[LabelledSlide], shares: Sequence[float], whole: Collection[int], rng: np.random.Generator
) -> dict[str, int] | None:
    """Part of each patient, with about ``shares`` of each class's images in the parts.

    Parameters
    ----------
    shares
        Share of each part, summing to 1; a part of share 0 stays empty.
    whole
        Parts that must hold every class.

    Returns
    -------
    Part by patient; None if no order tried fills the parts in ``whole``.
    """
    cases = sorted({slide.case_id for slide in slides})
    labels = sorted({slide.label for slide in slides})
    counts = np.zeros((len(cases), len(labels)), np.int64)
    for slide in slides:
        counts[cases.index(slide.case_id), labels.index(slide.label)] += 1
    for _ in range(ORDERINGS):
        part = _greedy(counts, np.asarray(shares), list(whole), rng)
        held = np.stack([counts[part == p].sum(axis=0) for p in range(len(shares))])
        if (held[list(whole)] > 0).all():
            return {case: int(p) for case, p in zip(cases, part, strict=True)}
    return None


def _greedy(counts: Counts, shares: npt.NDArray[np.float64], whole: list[int], rng: np.random.Generator) -> Counts:
    """Part of each patient, from image counts (patients, classes)."""
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


def _counted(patients: Mapping[str, Collection[str]]) -> str:
    return ", ".join(f"{label}: {len(cases)} patients" for label, cases in sorted(patients.items()))
