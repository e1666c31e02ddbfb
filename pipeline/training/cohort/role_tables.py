"""Drawing folds and roles: the tables that say which slides a training learns from, and which it is tested on."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.artefacts.splits import COLUMNS
from pipeline.errors import CohortError
from pipeline.training.cohort.fold_plan import LabelledSlide, patients_by_class, planned_folds
from pipeline.training.cohort.patient_folds import assign_folds, assign_roles
from pipeline.training.cohort.roles import Split
from pipeline.training.cohort.seeds import derived_seed
from pipeline.training.params import SplitParams

NO_FOLD = -1
"""Column ``fold`` of roles drawn over all slides."""


def split_table(
    slides: Sequence[LabelledSlide], params: SplitParams, seeds: Sequence[int], folds: Sequence[int] | None = None
) -> pd.DataFrame:
    """Splits of all ``seeds``, sorted by seed and fold, slides in the order given.

    Parameters
    ----------
    folds
        Test folds; None stands for ``planned_folds``.  One of which no slide is here has
        roles for training and no test image.

    Raises
    ------
    CohortError
        If there are fewer than two classes, or folds or roles cannot be filled.
    """
    patients = patients_by_class(slides)
    if len(patients) < 2:
        usable = ", ".join(f"{label} ({len(cases)} patients)" for label, cases in patients.items()) or "none"
        raise CohortError(f"training needs at least two classes with usable slides, found {usable}.")
    tested = planned_folds(slides, params.folds) if folds is None else folds
    tables = []
    for seed in seeds:
        fold_of = _folds(slides, params, seed)
        tables += [_fold_table(slides, fold_of, params, Split(seed, fold)) for fold in tested]
    return pd.concat(tables, ignore_index=True)


def final_table(slides: Sequence[LabelledSlide], params: SplitParams, seed: int) -> pd.DataFrame:
    """Roles ``train``, ``structure`` and ``select`` over all ``slides``, none held back for a test.

    Raises
    ------
    CohortError
        If roles cannot be filled.
    """
    roles = assign_roles(slides, params, np.random.default_rng(derived_seed(seed, "final roles")))
    return _table(slides, roles, Split(seed, None))


def slides_of_splits(splits: pd.DataFrame) -> list[LabelledSlide]:
    """Every slide of ``splits`` once, in its order."""
    return [
        LabelledSlide(str(row.slide_id), str(row.case_id), str(row.label))
        for row in splits.drop_duplicates("slide_id").itertuples()
    ]


def _folds(slides: Sequence[LabelledSlide], params: SplitParams, seed: int) -> dict[str, int]:
    """Test fold of each patient."""
    given = {slide.case_id: int(slide.fold) for slide in slides if slide.fold is not None}
    if not given:
        return assign_folds(slides, params.folds, np.random.default_rng(derived_seed(seed, "folds")))
    missing = sorted({slide.case_id for slide in slides} - given.keys())
    if missing:
        raise CohortError(f"the sheet gives a fold for some labelled slides only; patient {missing[0]!r} has none.")
    return given


def _fold_table(
    slides: Sequence[LabelledSlide], fold_of: Mapping[str, int], params: SplitParams, split: Split
) -> pd.DataFrame:
    rest = [slide for slide in slides if fold_of[slide.case_id] != split.fold]
    absent = sorted({slide.label for slide in slides} - {slide.label for slide in rest})
    if absent:
        raise CohortError(f"all patients of class {absent[0]!r} lie in test {split.title}; none is left to train on.")
    try:
        roles = assign_roles(rest, params, np.random.default_rng(derived_seed(split.seed, str(split.fold), "roles")))
    except CohortError as error:
        raise CohortError(f"seed {split.seed}, {split.title}: {error}") from error
    test = {case_id: "test" for case_id, fold in fold_of.items() if fold == split.fold}
    return _table(slides, {**roles, **test}, split)


def _table(slides: Sequence[LabelledSlide], roles: Mapping[str, str], split: Split) -> pd.DataFrame:
    fold = NO_FOLD if split.fold is None else split.fold
    rows = [(s.slide_id, s.case_id, s.label, split.seed, fold, roles[s.case_id]) for s in slides]
    return pd.DataFrame(rows, columns=list(COLUMNS))
