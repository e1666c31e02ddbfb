"""Rule ``split_cohort``: labelled slides to folds and roles, by whole patients."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from pipeline.artefacts.feature_files import feature_path
from pipeline.artefacts.feature_making import Making, making_of
from pipeline.artefacts.features import check_store_slide, read_features
from pipeline.artefacts.json_files import write_provenance
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import EXCLUDED_COLUMNS, write_excluded, write_splits
from pipeline.errors import ArtefactError, CohortError, OnMismatch
from pipeline.logs import get_logger, progress
from pipeline.provenance import file_digest, record
from pipeline.training.cohort.fold_plan import LabelledSlide, fold_faults, labelled_slides, planned_folds
from pipeline.training.cohort.made_alike import check_made_alike, noted_mismatches
from pipeline.training.cohort.role_tables import split_table
from pipeline.training.params import SplitParams

SPLITS, EXCLUDED = "splits.csv", "excluded.csv"
"""Names of the tables of roles and of slides left out."""

log = get_logger("training")


@dataclass(frozen=True)
class SplitJob:
    """How a cohort is split.

    Attributes
    ----------
    params
        Number of folds and shares of roles.
    seeds
        One draw of folds and roles each; folds from the sheet stay as they are.
    source
        Source digest of the stage.
    on_mismatch
        What is done about slides whose features were made differently.
    """

    params: SplitParams
    seeds: tuple[int, ...]
    source: str
    on_mismatch: OnMismatch = "stop"


def split_cohort(
    rows: Sequence[SlideRow], features: str | Path | Mapping[str, Path], out_dir: str | Path, job: SplitJob
) -> None:
    """Write ``splits.csv``, ``excluded.csv`` and ``provenance.json`` to ``out_dir``.

    Slides without a label are no part of it.  Slides without a patch go to
    ``excluded.csv`` with the reason that their cache gives.  A fold of the sheet that has
    lost all its slides to it stays in ``splits.csv``, without a test image.

    Parameters
    ----------
    features
        Feature file by slide, or the folder of ``{slide_id}.zarr``.

    Raises
    ------
    ArtefactError
        If a cache is missing, damaged or of another slide.
    CohortError
        If the slides, or those left, cannot be split as asked, or their features were made differently.
    """
    out = Path(out_dir)
    slides = labelled_slides(rows)
    faults = fold_faults(slides, job.params.folds)
    if faults:
        raise CohortError("; ".join(faults))
    where = features if isinstance(features, Mapping) else Path(features)
    paths = {slide.slide_id: feature_path(where, slide.slide_id) for slide in slides}
    caches = read_caches(paths)
    reasons = {slide_id: cache.empty_reason for slide_id, cache in caches.items()}
    makings = {slide_id: cache.making for slide_id, cache in caches.items() if cache.empty_reason is None}
    mismatches = check_made_alike(makings, job.on_mismatch)
    _write_excluded(out / EXCLUDED, slides, reasons)
    kept = [slide for slide in slides if reasons[slide.slide_id] is None]
    table = split_table(kept, job.params, job.seeds, planned_folds(slides, job.params.folds))
    write_splits(out / SPLITS, table)
    upstream = {f"features/{slide_id}": file_digest(path) for slide_id, path in sorted(paths.items())}
    stages = {"splits": asdict(job.params), "seeds": list(job.seeds)}
    provenance = record(params=stages, source=job.source, upstream=upstream) | noted_mismatches(mismatches)
    write_provenance(out, provenance, [SPLITS, EXCLUDED])


@dataclass(frozen=True)
class SlideCache:
    """What splitting needs to know of a slide's features: why there is none, else None, and how they were made."""

    empty_reason: str | None
    making: Making


def read_caches(paths: Mapping[str, Path]) -> dict[str, SlideCache]:
    """``read_cache`` of every slide; what is wrong with any of them is told at once.

    Raises
    ------
    ArtefactError
        Naming every file at fault.
    """
    caches, faults = {}, []
    for slide_id, path in progress(paths.items(), description="reading caches", unit="slides", total=len(paths)):
        try:
            caches[slide_id] = read_cache(path, slide_id)
        except ArtefactError as error:
            faults.append(str(error))
    if len(faults) > 1:
        faults.insert(0, f"{len(faults)} of {len(paths)} feature files cannot be used:")
    if faults:
        raise ArtefactError("\n  ".join(faults))
    return caches


def read_cache(path: Path, slide_id: str) -> SlideCache:
    """Read a feature file to its end, so that no training is begun with one that is damaged.

    Raises
    ------
    ArtefactError
        If the file cannot be read, or is of another slide.
    """
    store = read_features(path)
    check_store_slide(store.slide_id, slide_id, path)
    reason = None if len(store.coords) else store.reason or "the feature cache holds no patch"
    return SlideCache(reason, making_of(vars(store)))


def _write_excluded(path: Path, slides: Sequence[LabelledSlide], reasons: Mapping[str, str | None]) -> None:
    rows = [(s.slide_id, s.case_id, s.label, reasons[s.slide_id]) for s in slides if reasons[s.slide_id] is not None]
    if rows:
        log.warning("%d of %d labelled slides have no patch and are left out; see %s", len(rows), len(slides), path)
    write_excluded(path, pd.DataFrame(rows, columns=list(EXCLUDED_COLUMNS)))
