"""A cohort of tables of cells, without a slide, from the sheet to a trained model."""

import json

import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.artefacts.features import read_features
from tests.commands.running import run

SETTINGS = ["--set", "tiling.tile_px=100", "--set", "features.min_nuclei=5"]


def cells(rng: np.random.Generator, clustered: bool) -> np.ndarray:
    """300 cells of a field of 150 um, far from the origin of their file."""
    if clustered:
        middles = rng.uniform(0, 150, (12, 2))
        return 3000 + middles[rng.integers(0, 12, 300)] + rng.normal(0, 8, (300, 2))
    return 3000 + rng.uniform(0, 150, (300, 2))


def as_csv(path, places):
    frame = pd.DataFrame({"cell_id": range(len(places)), "x_um": places[:, 0], "y_um": places[:, 1]})
    frame.assign(type=np.resize(["T", "B", ""], len(places))).to_csv(path, index=False)


def as_parquet(path, places):
    shapes = [shapely.Point(place).buffer(4) for place in places]
    pd.DataFrame({"outline_um": [shapely.to_wkb(shape) for shape in shapes]}).to_parquet(path)


def as_geojson(path, places):
    features = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": place}, "properties": {}}
        for place in (places / 0.25).tolist()
    ]
    path.write_text(json.dumps(features))


FORMATS = {"csv": as_csv, "parquet": as_parquet, "geojson": as_geojson}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("cells"), np.random.default_rng(0)
    rows = []
    for number in range(12):
        suffix = list(FORMATS)[number % 3]
        path = folder / f"c{number}.{suffix}"
        FORMATS[suffix](path, cells(rng, clustered=number % 2 == 1))
        rows.append((f"c{number}", path.name, "ab"[number % 2], f"p{number}", 0.25 if suffix == "geojson" else None))
    sheet = pd.DataFrame(rows, columns=["slide_id", "nuclei", "label", "case_id", "mpp"])
    sheet.to_csv(folder / "slides.csv", index=False)
    return folder


def test_tables_of_cells_alone_are_described_and_trained_on(cohort, tmp_path):
    sheet, caches = cohort / "slides.csv", tmp_path / "caches"
    assert run("features", "--sheet", sheet, "--out", caches, *SETTINGS) == 0
    for number in range(12):
        store = read_features(caches / f"c{number}.zarr")
        assert len(store.features) >= 4
        values = dict(zip(store.feature_names, store.features.T, strict=True))
        assert np.isfinite(values["mst_branch_length_mean_px"]).all()
        # Axes are known of outlines alone, of whose circles none is reliable.
        share = values["axis_reliable_share"]
        assert (share == 0).all() if number % 3 == 1 else np.isnan(share).all()
    train = ["--method", "logistic", "--folds", 2, "--set", "training.epochs=2", "--set", "splits.select_share=0"]
    # Formats are mixed here, which training would refuse.
    train += ["--set", "on_mismatch=warn"]
    out = tmp_path / "trained"
    assert run("train", "--sheet", sheet, "--features", caches, "--out", out, *train) == 0
    assert json.loads((out / "metrics.json").read_text())["mean"]["auroc"] > 0.9
