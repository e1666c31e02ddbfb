"""Inputs of commands: a painted slide, its tiles, and cohorts of feature caches."""

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue
from tests.commands.running import run
from tests.exports.results_folder import build_results


@pytest.fixture(autouse=True)
def quiet_root_logger() -> Iterator[None]:
    """Handlers that a command adds are gone after it."""
    handlers = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers[:] = handlers


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """A finished results folder, to be copied and not changed."""
    return build_results(tmp_path_factory.mktemp("whole")).results


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    path = tmp_path_factory.mktemp("painted") / "tissue.png"
    tissue = paint_tissue(TissueSpec(), width_px=256, height_px=256, mpp=0.5, rng=np.random.default_rng(1))
    Image.fromarray(tissue.rgb).save(path)
    return path


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Twelve images of two classes whose first feature tells the class."""
    folder = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(12):
        label = "ab"[number % 2]
        features = rng.normal(size=(9, 4)).astype(np.float32)
        features[:, 0] += 6 * (label == "b")
        grid = np.stack(np.meshgrid(range(3), range(3)), -1).reshape(-1, 2) * 100
        store = FeatureStore(f"i{number}", features, ("w", "x", "y", "z"), grid, np.arange(9))
        write_features(folder / "features" / f"i{number}.zarr", store)
        rows.append((f"i{number}", f"features/i{number}.zarr", label, f"p{number // 2}"))
    pd.DataFrame(rows, columns=["slide_id", "features", "label", "case_id"]).to_csv(folder / "slides.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def tiled(tmp_path_factory, painted):
    """A slide's table of 64-px tiles."""
    path = tmp_path_factory.mktemp("tiled") / "tissue.parquet"
    assert run("tile", "--slide", painted, "--mpp-slide", 0.25, "--set", "tiling.tile_px=32", "--out", path) == 0
    return path


@pytest.fixture
def described(tmp_path):
    """Four slides of two patients and two classes; the feature follows the class."""
    lines = ["slide_id,features,label,case_id"]
    for number in range(4):
        x = np.array([[number % 2], [number % 2 + 0.1 * number]], np.float32)
        coords = np.array([[0, 0], [512, 0]])
        store = FeatureStore(f"s{number}", x, ("a",), coords, np.arange(2), tile_width_l0=512.0)
        write_features(tmp_path / "caches" / f"s{number}.zarr", store)
        lines.append(f"s{number},caches/s{number}.zarr,{'xy'[number % 2]},p{number // 2}")
    (tmp_path / "slides.csv").write_text("\n".join(lines))
    return tmp_path
