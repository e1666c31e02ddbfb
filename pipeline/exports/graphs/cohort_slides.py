"""Which slides are exported, of which patient and class, in which role of which fold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from pipeline.artefacts.sheet import read_sheet
from pipeline.artefacts.splits import fold_rows, read_splits
from pipeline.errors import CohortError

MOST_NAMED = 10
"""Slides that an error names."""


@dataclass(frozen=True)
class CohortSlide:
    """A slide and its place in the cohort.

    Attributes
    ----------
    slide_id
        The slide.
    case_id
        Patient; the slide itself where none is known.
    label
        Class; None where unknown.
    fold, role
        A fold and the slide's role in it; None without splits.
    """

    slide_id: str
    case_id: str
    label: str | None = None
    fold: int | None = None
    role: str | None = None


def class_names(slides: Iterable[CohortSlide]) -> tuple[str, ...]:
    """Labels of ``slides``, sorted, each once."""
    return tuple(sorted({slide.label for slide in slides if slide.label is not None}))


def slides_of_sheet(sheet: str | Path) -> tuple[CohortSlide, ...]:
    """Slides of a sheet, in its order.

    Raises
    ------
    SheetError
        See ``read_sheet``.
    """
    return tuple(CohortSlide(row.slide_id, row.case_id, row.label) for row in read_sheet(sheet))


def slides_of_splits(splits: str | Path, seed: int, fold: int | None) -> tuple[CohortSlide, ...]:
    """Slides of a table of splits with their roles in ``fold``; None: each in the fold that tests it.

    Raises
    ------
    ArtefactError
        If the table cannot be read.
    CohortError
        If there is no such seed or fold.
    """
    rows = _rows(splits, seed, fold)
    columns = (rows[name].tolist() for name in ("slide_id", "case_id", "label", "fold", "role"))
    return tuple(CohortSlide(*cells) for cells in zip(*columns, strict=True))


def with_roles(
    slides: Sequence[CohortSlide], placed: Sequence[CohortSlide], splits: str | Path
) -> tuple[CohortSlide, ...]:
    """Those of ``slides`` that are among ``placed``, in their order, with fold and role from there.

    Raises
    ------
    CohortError
        If the two name different patients or classes of a slide.
    """
    place = {slide.slide_id: slide for slide in placed}
    both = [(slide, place[slide.slide_id]) for slide in slides if slide.slide_id in place]
    for slide, there in both:
        if (slide.case_id, slide.label) != (there.case_id, there.label):
            raise CohortError(
                f"slide {slide.slide_id}: the sheet has patient {slide.case_id!r} and label {slide.label!r}, {splits} "
                f"has {there.case_id!r} and {there.label!r}. Split again with this sheet."
            )
    return tuple(replace(slide, fold=there.fold, role=there.role) for slide, there in both)


def cohort_slides(
    sheet: str | Path | None, splits: tuple[Path, int] | None, fold: int | None
) -> tuple[CohortSlide, ...]:
    """Slides of a sheet, with the roles of a table of splits (path and seed); of the one that is given, or neither.

    Raises
    ------
    SheetError, ArtefactError, CohortError
        See ``slides_of_sheet``, ``slides_of_splits`` and ``with_roles``.
    """
    of_sheet = () if sheet is None else slides_of_sheet(sheet)
    if splits is None:
        return of_sheet
    placed = slides_of_splits(*splits, fold)
    return placed if sheet is None else with_roles(of_sheet, placed, splits[0])


def chosen(slides: Sequence[CohortSlide], slide_ids: Sequence[str]) -> tuple[CohortSlide, ...]:
    """Slides named by ``slide_ids``, in that order; all of them when none is named.

    Raises
    ------
    CohortError
        Naming those that are not there, or if there is no slide at all.
    """
    by_id = {slide.slide_id: slide for slide in slides}
    strangers = [slide_id for slide_id in slide_ids if slide_id not in by_id]
    if strangers or not slides:
        there = ", ".join(list(by_id)[:MOST_NAMED]) or "none"
        raise CohortError(
            f"expected slides that can be exported ({len(by_id)} can: {there}{', ...' * (len(by_id) > MOST_NAMED)}), "
            f"found {', '.join(strangers) or 'none'}."
        )
    return tuple(by_id[slide_id] for slide_id in slide_ids) if slide_ids else tuple(slides)


def _rows(splits: str | Path, seed: int, fold: int | None) -> pd.DataFrame:
    frame = read_splits(splits)
    if fold is not None:
        return fold_rows(frame, seed, fold, splits)
    rows = frame[(frame["seed"] == seed) & (frame["role"] == "test")]
    if rows.empty:
        seeds = ", ".join(map(str, sorted(set(frame["seed"])))) or "none"
        raise CohortError(f"{splits}: no test images of seed {seed}; found seeds {seeds}.")
    return rows
