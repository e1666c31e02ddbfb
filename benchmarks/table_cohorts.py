"""Cohorts by name, as sheet and feature caches, for ``method_tables.py``.

``breast`` (IDC against ILC) and ``kidney`` (CCRCC, PRCC, CHRCC): 192 values of each region of 4096 px of TCGA's
diagnostic slides, from the folder ``tcga_regions`` in ``$ABIGNET_REAL_DATA`` (embeddings of HIPT, Chen et al. 2022;
Apache 2.0 with Commons Clause: evaluation only).  Where regions lie is not known, which is written as all in one
place.  Slides of one region are left out.  Any variant of ``abignet synth planted`` is a cohort too.
"""

import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.errors import SheetError
from pipeline.synthetic.planted import VARIANTS, write_planted_cohort

TCGA = {"breast": ("brca", {"IDC", "ILC"}), "kidney": ("kidney", {"CCRCC", "PRCC", "CHRCC"})}
"""File and classes of each cohort."""

LEAST_REGIONS = 2
PLANTED_IMAGES = 750
"""At most, of a planted cohort."""

PLANTED_SEED = 20

NAMES = (*TCGA, *VARIANTS)


def make_cohort(name: str, folder: Path) -> tuple[Path, Path]:
    """Sheet and folder of feature caches of a cohort below ``folder``; what is there already stays."""
    sheet, features = folder / "slides.csv", folder / "features"
    if sheet.exists():
        return sheet, features
    if name in VARIANTS:
        n_images = min(VARIANTS[name].n_images, PLANTED_IMAGES)
        write_planted_cohort(folder, replace(VARIANTS[name], n_images=n_images), seed=PLANTED_SEED)
        return sheet, features
    rows = []
    for row, regions in slides_of(*TCGA[name]):
        nowhere = np.zeros((len(regions), 2), np.int64)
        names = tuple(f"region_{column}" for column in range(regions.shape[1]))
        store = FeatureStore(row["slide_id"], regions, names, nowhere, np.arange(len(regions)))
        write_features(features / f"{row['slide_id']}.zarr", store)
        rows.append((row["slide_id"], row["case_id"], row["oncotree_code"], f"features/{row['slide_id']}.zarr"))
    with sheet.open("w", newline="") as file:
        csv.writer(file).writerows([("slide_id", "case_id", "label", "features"), *rows])
    return sheet, features


def slides_of(file: str, classes: set[str]) -> Iterator[tuple[dict[str, str], np.ndarray]]:
    """Row and regions, float32 (n, 192), of each slide of ``classes`` with enough of them."""
    if "ABIGNET_REAL_DATA" not in os.environ:
        raise SheetError("tcga_regions", ["ABIGNET_REAL_DATA must name the folder that holds it"])
    source = Path(os.environ["ABIGNET_REAL_DATA"]) / "tcga_regions"
    regions = np.load(source / f"{file}.npz")["features"]
    end = 0
    for row in csv.DictReader((source / f"{file}.csv").open()):
        start, end = end, end + int(row["n_regions"])
        if row["oncotree_code"] in classes and end - start >= LEAST_REGIONS:
            yield row, regions[start:end].astype(np.float32)
