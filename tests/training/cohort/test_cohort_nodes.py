import h5py
import numpy as np
import pytest

from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.errors import ArtefactError, CohortError
from pipeline.training.cohort.cohort_nodes import load_nodes, nearest_distance, nonempty
from pipeline.training.cohort.feature_files import feature_path
from pipeline.training.cohort.feature_names import common_feature_names


def store(slide_id, names, n=3, **changes):
    coords = np.stack([np.arange(n) * 512, np.zeros(n)], axis=1).astype(np.int64)
    features = np.ones((n, len(names)), np.float32)
    return FeatureStore(slide_id, features, tuple(names), coords, np.arange(n), **{"tile_width_l0": 512.0, **changes})


def test_coordinates_are_in_tile_sides(tmp_path):
    write_features(tmp_path / "a.zarr", store("a", ["x", "y"]))
    cohort = load_nodes(tmp_path, ["a"])
    assert cohort.slides["a"].coords[:, 0].tolist() == [0, 1, 2]
    assert cohort.feature_names == ("x", "y")


def test_without_a_tile_side_the_nearest_tile_gives_it(tmp_path):
    write_features(tmp_path / "a.zarr", store("a", ["x"], tile_width_l0=None))
    assert load_nodes(tmp_path, ["a"]).slides["a"].coords[:, 0].tolist() == [0, 1, 2]
    assert nearest_distance(np.array([[7, 7]])) == 1
    assert nearest_distance(np.array([[7, 7], [7, 7]])) == 1


def test_differing_features_name_the_slide_and_the_first_difference():
    with pytest.raises(CohortError, match=r"slide b: its 3 features .* 2 of slide a: feature 1 is 'z' instead of 'y'"):
        common_feature_names({"a": ("x", "y"), "b": ("x", "z", "y")})
    with pytest.raises(CohortError, match="feature 1 is 'missing' instead of 'y'"):
        common_feature_names({"a": ("x", "y"), "b": ("x",)})


def test_embeddings_stand_beside_the_features_in_the_order_asked_for(tmp_path):
    values = {
        "uni": np.full((3, 2), 5, np.float32),
        "b": np.full((3, 1), 7, np.float32),
        "c": np.zeros((3, 9), np.float32),
    }
    write_features(tmp_path / "a.zarr", store("a", ["x"], embeddings=values))
    write_features(tmp_path / "empty.zarr", store("empty", [], n=0, reason="no tissue"))
    cohort = load_nodes(tmp_path, ["a", "empty"], ["uni", "b"])
    assert cohort.feature_names == ("x", "uni/0", "uni/1", "b/0")
    assert cohort.slides["a"].x.tolist() == [[1, 5, 5, 7]] * 3
    with pytest.raises(CohortError, match=r"slide a: .*no embedding 'gigapath'.*found b, c, uni"):
        load_nodes(tmp_path, ["a"], ["gigapath"])


def test_empty_slides_need_no_feature_names(tmp_path):
    write_features(tmp_path / "a.zarr", store("a", ["x"]))
    write_features(tmp_path / "b.zarr", store("b", [], n=0, reason="no tissue"))
    cohort = load_nodes(tmp_path, ["b", "a"])
    assert cohort.feature_names == ("x",)
    with pytest.raises(CohortError, match=r"slide b: .*no tissue.*split again"):
        nonempty(cohort, ["a", "b"])


def test_a_folder_holds_one_file_a_slide(tmp_path):
    with pytest.raises(ArtefactError, match="found neither"):
        feature_path(tmp_path, "a")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["features"], file["coords"] = np.ones((2, 3), np.float32), np.zeros((2, 2), np.int64)
    assert len(load_nodes(tmp_path, ["a"]).feature_names) == 3
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(ArtefactError, match=r"found a.zarr and a.h5"):
        feature_path(tmp_path, "a")
    with pytest.raises(ArtefactError, match="slide b"):
        feature_path({"a": tmp_path}, "b")


def test_the_digest_sees_values_and_names(tmp_path):
    write_features(tmp_path / "a.zarr", store("a", ["x"]))
    write_features(tmp_path / "b.zarr", store("b", ["y"]))
    digests = [load_nodes(tmp_path, ["a"]).digest, load_nodes(tmp_path, ["b"]).digest]
    assert digests[0] != digests[1]
    assert digests[0] == load_nodes(tmp_path, ["a"]).digest
