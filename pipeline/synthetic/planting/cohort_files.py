"""A planted cohort as files: feature caches, sheet and truth."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.logs import progress
from pipeline.provenance import package_versions
from pipeline.synthetic.planting.planted_image import MPP, TILE_PX, PlantedImage


def write_cohort(
    out_dir: str | Path, images: Sequence[PlantedImage], feature_names: tuple[str, ...], made: Mapping[str, Any]
) -> Path:
    """Write images as feature caches with a sheet.

    ``features/{slide_id}.zarr`` hold the patches, ``truth/{slide_id}.npz`` the true edges
    ``pairs`` int64 (2, n_pairs), ``slides.csv`` the columns slide_id, features, label,
    case_id, and fold where images have one; then ``truth/hospitals.csv`` holds slide_id,
    case_id, hospital, fold, label.

    Parameters
    ----------
    made
        Parameters by which the caches were made, kept in each.

    Returns
    -------
    The sheet's path.
    """
    out = Path(out_dir)
    (out / "truth").mkdir(parents=True, exist_ok=True)
    versions = package_versions()
    for image in progress(images, description="planted cohort", unit="images", total=len(images)):
        store = _store(image, feature_names, made, versions)
        write_features(out / "features" / f"{image.slide_id}.zarr", store)
        with writing(out / "truth" / f"{image.slide_id}.npz") as temporary:
            np.savez(temporary, pairs=image.pairs)
    has_folds = any(image.fold is not None for image in images)
    if has_folds:
        rows = [[i.slide_id, i.case_id, i.hospital, i.fold, i.label] for i in images]
        _write_csv(out / "truth" / "hospitals.csv", ["slide_id", "case_id", "hospital", "fold", "label"], rows)
    header = ["slide_id", "features", "label", "case_id", *["fold"] * has_folds]
    rows = [[i.slide_id, f"features/{i.slide_id}.zarr", i.label, i.case_id, *[i.fold] * has_folds] for i in images]
    return _write_csv(out / "slides.csv", header, rows)


def _store(
    image: PlantedImage, feature_names: tuple[str, ...], made: Mapping[str, Any], versions: Mapping[str, str]
) -> FeatureStore:
    return FeatureStore(
        slide_id=image.slide_id,
        features=image.features,
        feature_names=feature_names,
        coords=image.coords,
        tile_id=np.arange(len(image.features), dtype=np.int64),
        mpp=MPP,
        tile_px=TILE_PX,
        tile_width_l0=float(TILE_PX),
        params=made,
        packages=versions,
    )


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with writing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)
    return path
