"""Rule ``split_cohort``: labelled slides to folds and roles, by whole patients."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artefacts.features import KIND as FEATURES_KIND
from pipeline.artefacts.features import read_features
from pipeline.artefacts.json_files import write_provenance
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import COLUMNS, EXCLUDED_COLUMNS, write_excluded, write_splits
from pipeline.artefacts.zarr_store import open_store, read_array
from pipeline.errors import CohortError
from pipeline.logs import get_logger, progress
from pipeline.provenance import file_digest, record
from pipeline.training.cohort.cohort_nodes import feature_path
from pipeline.training.cohort.determinism import derived_seed
from pipeline.training.cohort.patient_folds import LabelledSlide, assign_folds, assign_roles, patients_by_class
from pipeline.training.params import SplitParams

log = get_logger("training")


def split_cohort(
    rows: Sequence[SlideRow],
    features: str | Path | Mapping[str, Path],
    splits_path: str | Path,
    excluded_path: str | Path,
    *,
    params: SplitParams,
    seeds: Sequence[int],
    source: str,
) -> None:
    """Write ``splits.csv``, ``excluded.csv`` and, beside the former, ``provenance.json``.

    Slides without a label are no part of it.  Slides without a patch go to
    ``excluded.csv`` with the reason that their cache gives.

    Parameters
    ----------
    features
        Feature file by slide, or the folder of ``{slide_id}.zarr``.
    seeds
        One draw of folds and roles each; folds from the sheet stay as they are.

    Raises
    ------
    ArtefactError
        If a cache is missing or damaged.
    CohortError
        If the slides left cannot be split as asked.
    """
    labelled = [row for row in rows if row.label is not None]
    where = features if isinstance(features, Mapping) else Path(features)
    paths = {row.slide_id: feature_path(where, row.slide_id) for row in labelled}
    listed = progress(labelled, description="reading caches", unit="slides", total=len(labelled))
    reasons = {row.slide_id: empty_reason(paths[row.slide_id]) for row in listed}
    kept = [_labelled_slide(row) for row in labelled if reasons[row.slide_id] is None]
    out = [(row.slide_id, row.case_id, row.label, reasons[row.slide_id]) for row in labelled if reasons[row.slide_id]]
    write_excluded(excluded_path, pd.DataFrame(out, columns=list(EXCLUDED_COLUMNS)))
    if out:
        log.warning(
            "%d of %d labelled slides have no patch and are left out; see %s", len(out), len(labelled), excluded_path
        )
    write_splits(splits_path, split_table(kept, params, seeds))
    upstream = {f"features/{slide_id}": file_digest(path) for slide_id, path in sorted(paths.items())}
    stages = {"splits": asdict(params), "seeds": list(seeds)}
    write_provenance(Path(splits_path).parent, record(params=stages, source=source, upstream=upstream))


def empty_reason(path: Path) -> str | None:
    """Why a feature file holds no patch; None when it holds some.

    Raises
    ------
    ArtefactError
        If the file cannot be read.
    """
    if path.suffix == ".h5":
        return read_features(path).reason
    store = open_store(path, FEATURES_KIND)
    reason = store.attrs.get("reason")
    n_tiles = len(read_array(store, "tile_id", path))
    return None if n_tiles else str(reason or "the feature cache holds no patch")


def split_table(slides: Sequence[LabelledSlide], params: SplitParams, seeds: Sequence[int]) -> pd.DataFrame:
    """Splits of all ``seeds``, sorted by seed and fold, slides in the order given.

    Raises
    ------
    CohortError
        If there are fewer than two classes, or folds or roles cannot be filled.
    """
    classes = patients_by_class(slides)
    if len(classes) < 2:
        found = ", ".join(f"{label} ({len(cases)} patients)" for label, cases in classes.items()) or "none"
        raise CohortError(f"training needs at least two classes with usable slides, found {found}.")
    tables = []
    for seed in seeds:
        folds = _folds(slides, params, seed)
        tables += [_fold_table(slides, folds, fold, params, seed) for fold in sorted(set(folds.values()))]
    return pd.concat(tables, ignore_index=True)


def labelled_slides(splits: pd.DataFrame) -> list[LabelledSlide]:
    """Every slide of ``splits`` once, in its order."""
    return [
        LabelledSlide(str(row.slide_id), str(row.case_id), str(row.label))
        for row in splits.drop_duplicates("slide_id").itertuples()
    ]


def final_table(slides: Sequence[LabelledSlide], params: SplitParams, seed: int) -> pd.DataFrame:
    """Roles ``train``, ``structure`` and ``select`` over all ``slides``, none held back for a test.

    Raises
    ------
    CohortError
        If roles cannot be filled.
    """
    roles = assign_roles(slides, params, np.random.default_rng(derived_seed(seed, "final roles")))
    return _table(slides, roles, seed, fold=-1)


def _folds(slides: Sequence[LabelledSlide], params: SplitParams, seed: int) -> dict[str, int]:
    given = {slide.case_id: slide.fold for slide in slides if slide.fold is not None}
    if not given:
        return assign_folds(slides, params.folds, np.random.default_rng(derived_seed(seed, "folds")))
    missing = sorted({slide.case_id for slide in slides} - given.keys())
    if missing:
        raise CohortError(f"the sheet gives a fold for some labelled slides only; patient {missing[0]!r} has none.")
    if len(set(given.values())) < 2:
        raise CohortError(
            f"the usable slides all lie in fold {set(given.values())} of the sheet; at least two are needed."
        )
    return {case_id: int(fold) for case_id, fold in given.items() if fold is not None}


def _fold_table(
    slides: Sequence[LabelledSlide], folds: Mapping[str, int], fold: int, params: SplitParams, seed: int
) -> pd.DataFrame:
    rest = [slide for slide in slides if folds[slide.case_id] != fold]
    absent = sorted({slide.label for slide in slides} - {slide.label for slide in rest})
    if absent:
        raise CohortError(f"all patients of class {absent[0]!r} lie in test fold {fold}; none is left to train on.")
    try:
        roles = assign_roles(rest, params, np.random.default_rng(derived_seed(seed, fold, "roles")))
    except CohortError as error:
        raise CohortError(f"seed {seed}, fold {fold}: {error}") from error
    test = {case_id: "test" for case_id, place in folds.items() if place == fold}
    return _table(slides, {**roles, **test}, seed, fold)


def _table(slides: Sequence[LabelledSlide], roles: Mapping[str, str], seed: int, fold: int) -> pd.DataFrame:
    rows = [(s.slide_id, s.case_id, s.label, seed, fold, roles[s.case_id]) for s in slides]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _labelled_slide(row: SlideRow) -> LabelledSlide:
    return LabelledSlide(row.slide_id, row.case_id, str(row.label), row.fold)
