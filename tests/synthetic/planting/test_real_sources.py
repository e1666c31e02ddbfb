from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.errors import CohortError
from pipeline.synthetic.planting.real_sources import read_sources

ROWS = [SimpleNamespace(slide_id=name, case_id=f"patient_{name}") for name in "ab"]


def written(folder, values, names=("first", "second")):
    files = {}
    for row, features in zip(ROWS, values, strict=True):
        features = np.asarray(features, np.float32)
        n = len(features)
        files[row.slide_id] = folder / f"{row.slide_id}.zarr"
        own = names[row.slide_id] if isinstance(names, dict) else names
        valid = None if np.isfinite(features).all() else np.isfinite(features)
        coords, reason = np.zeros((n, 2), np.int64), "" if n else "no tissue"
        store = FeatureStore(row.slide_id, features, own, coords, np.arange(n), valid=valid, reason=reason)
        write_features(files[row.slide_id], store)
    return files


def test_features_undefined_somewhere_are_left_out_everywhere(tmp_path):
    files = written(tmp_path, [[[1, 2], [3, np.nan]], [[5, 6], [7, 8]]])
    sources, names = read_sources(ROWS, files)
    assert names == ("first",)
    assert [source.features.tolist() for source in sources] == [[[1], [3]], [[5], [7]]]
    assert [source.case_id for source in sources] == ["patient_a", "patient_b"]


def test_images_with_other_features_are_told(tmp_path):
    files = written(tmp_path, [[[1, 2]], [[3, 4]]], {"a": ("first", "second"), "b": ("first", "third")})
    with pytest.raises(CohortError, match="slide b: its features are not those of slide a"):
        read_sources(ROWS, files)


def test_images_without_a_defined_feature_are_told(tmp_path):
    files = written(tmp_path, [[[1, np.nan]], [[np.nan, 4]]])
    with pytest.raises(CohortError, match="no feature is defined"):
        read_sources(ROWS, files)


def test_images_without_a_patch_are_left_out(tmp_path):
    files = written(tmp_path, [np.zeros((0, 2)), [[1, 2]]])
    sources, names = read_sources(ROWS, files)
    assert [source.slide_id for source in sources] == ["b"]
    assert names == ("first", "second")
    with pytest.raises(CohortError, match="none of the 1 images has any"):
        read_sources(ROWS[:1], files)
