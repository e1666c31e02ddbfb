"""``splits.csv`` and ``excluded.csv``: which slide plays which role in which fold.

Roles: ``train`` fits the classifier (lower level) and the scaler; ``structure`` fits the
graph generator (upper level); ``select`` decides when to stop; ``test`` is only predicted.
"""

from pathlib import Path
from typing import Literal

import pandas as pd

from pipeline.artefacts.csv_files import read_sealed_csv, write_csv
from pipeline.errors import ArtefactError, CohortError

Role = Literal["train", "structure", "select", "test"]
ROLES: tuple[Role, ...] = ("train", "structure", "select", "test")

COLUMNS: dict[str, str] = {
    "slide_id": "str",
    "case_id": "str",  # patient
    "label": "str",
    "seed": "int64",
    "fold": "int64",
    "role": "str",
}

EXCLUDED_COLUMNS: dict[str, str] = {
    "slide_id": "str",
    "case_id": "str",
    "label": "str",  # empty when unknown
    "reason": "str",
}


def write_splits(path: str | Path, frame: pd.DataFrame) -> None:
    """Write splits after ``check_splits``."""
    write_csv(path, check_splits(frame, path), COLUMNS)


def read_splits(path: str | Path) -> pd.DataFrame:
    """Read splits and check them.

    Raises
    ------
    ArtefactError
        If the file cannot be read or holds an unknown role.
    CohortError
        See ``check_splits``.
    """
    frame = read_sealed_csv(path, "splits", COLUMNS)
    unknown = sorted(set(frame["role"]) - set(ROLES))
    if unknown:
        raise ArtefactError(f"{path}: column role: expected {', '.join(ROLES)}; found {', '.join(unknown)}.")
    return check_splits(frame, path)


def check_splits(frame: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """Return ``frame`` when every fold has every slide once, and no patient has two roles in one fold.

    Raises
    ------
    CohortError
        Naming the first slides or patients at fault, their fold and their roles.
    """
    twice = frame[frame.duplicated(["seed", "fold", "slide_id"])]
    if len(twice):
        first = twice.iloc[0]
        raise CohortError(f"{path}: slide {first.slide_id!r} stands twice in fold {first.fold} of seed {first.seed}.")
    _check_slides(frame, path)
    roles = frame[["seed", "fold", "case_id", "role"]].drop_duplicates()
    leaks = roles.groupby(["seed", "fold", "case_id"], as_index=False)["role"].agg(["nunique", " and ".join])
    leaks = leaks[leaks["nunique"] > 1]
    if len(leaks):
        named = "; ".join(
            f"patient {leak.case_id!r} is in {leak.join} (seed {leak.seed}, fold {leak.fold})"
            for leak in leaks.head(5).itertuples()
        )
        raise CohortError(f"{path}: leak: {len(leaks)} patients have two roles in one fold: {named}. Split again.")
    return frame


def _check_slides(frame: pd.DataFrame, path: str | Path) -> None:
    """Raise ``CohortError`` where a slide is missing in a fold, or is of two patients or classes."""
    slides = set(frame["slide_id"])
    for (seed, fold), rows in frame.groupby(["seed", "fold"]):
        missing = sorted(slides - set(rows["slide_id"]))
        if missing:
            raise CohortError(
                f"{path}: slide {missing[0]!r} has no role in fold {fold} of seed {seed} and one in another; the "
                "table is cut off or was edited. Split again."
            )
    facts = frame[["slide_id", "case_id", "label"]].drop_duplicates()
    twice = facts[facts["slide_id"].duplicated()]
    if len(twice):
        raise CohortError(
            f"{path}: slide {twice['slide_id'].iloc[0]!r} is of two patients or classes; the table was edited. "
            "Split again."
        )


def fold_rows(splits: pd.DataFrame, seed: int, fold: int, path: str | Path) -> pd.DataFrame:
    """Rows of one fold.

    Raises
    ------
    CohortError
        If there is no such fold.
    """
    rows = splits[(splits["seed"] == seed) & (splits["fold"] == fold)].reset_index(drop=True)
    if rows.empty:
        there = ", ".join(f"{s}/{f}" for s, f in sorted(set(zip(splits["seed"], splits["fold"], strict=True))))
        raise CohortError(f"{path}: no rows of seed {seed}, fold {fold}; found seed/fold {there or 'nothing'}.")
    return rows


def write_excluded(path: str | Path, frame: pd.DataFrame) -> None:
    """Write the slides left out, with their reasons."""
    write_csv(path, frame, EXCLUDED_COLUMNS)


def read_excluded(path: str | Path) -> pd.DataFrame:
    """Read the slides left out.

    Raises
    ------
    ArtefactError
        If the file cannot be read.
    """
    return read_sealed_csv(path, "excluded slides", EXCLUDED_COLUMNS)
