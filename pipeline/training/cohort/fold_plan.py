"""The folds of a cohort, and whether they can exist, as far as sheet and configuration tell.

Nothing beyond the standard library and Snakemake's own packages is imported here: the
Snakefile asks before any slide is read, in a launcher that may hold nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artefacts.sheet import SlideRow
from pipeline.errors import ConfigError, SheetError

LEAST_PATIENTS = 2
"""Of each class outside a test fold: one for the role ``train``, another for ``structure``."""


@dataclass(frozen=True)
class LabelledSlide:
    """What splitting needs to know of a slide; ``fold`` is the sheet's, if it has one."""

    slide_id: str
    case_id: str
    label: str
    fold: int | None = None


def labelled_slides(rows: Iterable[SlideRow]) -> list[LabelledSlide]:
    """Those of ``rows`` that have a label, in their order."""
    return [LabelledSlide(row.slide_id, row.case_id, row.label, row.fold) for row in rows if row.label is not None]


def patients_by_class(slides: Iterable[LabelledSlide]) -> dict[str, set[str]]:
    """Patients that have images of each class, classes sorted."""
    patients: dict[str, set[str]] = {}
    for slide in slides:
        patients.setdefault(slide.label, set()).add(slide.case_id)
    return dict(sorted(patients.items()))


def planned_folds(slides: Iterable[LabelledSlide], n_folds: int) -> tuple[int, ...]:
    """Test folds of a cohort: those that the sheet names, else 0 to ``n_folds`` - 1."""
    return tuple(sorted({slide.fold for slide in slides if slide.fold is not None})) or tuple(range(n_folds))


def require_folds(rows: Iterable[SlideRow], n_folds: int, sheet: str | Path) -> None:
    """Check that the labelled ones of ``rows`` can be divided into folds.

    Raises
    ------
    SheetError
        With every fault of ``fold_faults``.
    """
    faults = fold_faults(labelled_slides(rows), n_folds)
    if faults:
        raise SheetError(str(sheet), faults)


def require_select_share(splits: Mapping[str, Any], training: Mapping[str, Any]) -> None:
    """Check that images decide what ``training.temperature_scaling`` needs them for.

    Parameters
    ----------
    splits, training
        These sections of a checked configuration.

    Raises
    ------
    ConfigError
        If no image would have the role ``select``.
    """
    if training["temperature_scaling"] and not splits["select_share"]:
        raise ConfigError(
            "training.temperature_scaling is fitted on the images of the role select, and splits.select_share is 0; "
            "raise that, or set temperature_scaling to false."
        )


def fold_faults(slides: Sequence[LabelledSlide], n_folds: int) -> list[str]:
    """What stands in the way of folds and roles by whole patients; nothing where they may exist.

    Every fold drawn must hold every class, and outside every fold each class needs
    ``LEAST_PATIENTS`` patients.  Where patients have images of several classes a draw may
    fail all the same.

    Parameters
    ----------
    n_folds
        Number of folds where the sheet gives none.
    """
    patients = patients_by_class(slides)
    if len(patients) < 2:
        return [f"column label: training needs at least two classes, there is {_counted(patients) or 'no label'}"]
    if any(slide.fold is not None for slide in slides):
        return _given_faults(slides, patients)
    return [
        f"column label: {n_folds} folds need {_least(n_folds)} patients of each class, class {label!r} has "
        f"{len(cases)}; {_remedy(len(cases))}"
        for label, cases in patients.items()
        if not _divides(len(cases), n_folds)
    ]


def _given_faults(slides: Sequence[LabelledSlide], patients: Mapping[str, set[str]]) -> list[str]:
    """Classes of which too few patients lie outside one of the sheet's folds."""
    faults = []
    for fold in planned_folds(slides, 0):
        inside = {slide.case_id for slide in slides if slide.fold == fold}
        faults += [
            f"column fold: outside fold {fold} class {label!r} has {len(cases - inside)} of its {len(cases)} patients; "
            f"expected at least {LEAST_PATIENTS}, one for each of the roles train and structure"
            for label, cases in patients.items()
            if len(cases - inside) < LEAST_PATIENTS
        ]
    return faults


def _divides(n_patients: int, n_folds: int) -> bool:
    """Whether each fold can have a patient and leave ``LEAST_PATIENTS`` outside it."""
    fullest = -(-n_patients // n_folds)
    return n_patients >= n_folds and n_patients - fullest >= LEAST_PATIENTS


def _least(n_folds: int) -> int:
    """Fewest patients of a class that ``n_folds`` folds need."""
    return next(n for n in range(n_folds, n_folds + LEAST_PATIENTS + 1) if _divides(n, n_folds))


def _remedy(n_patients: int) -> str:
    possible = [n_folds for n_folds in range(2, n_patients + 1) if _divides(n_patients, n_folds)]
    other = f"use {possible[-1]} folds (splits.folds), " if possible else ""
    return f"{other}add patients or leave the class out"


def _counted(patients: Mapping[str, set[str]]) -> str:
    return ", ".join(f"{label!r} of {len(cases)} patients" for label, cases in patients.items())
