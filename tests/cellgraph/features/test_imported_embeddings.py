from dataclasses import replace

import h5py
import numpy as np
import pytest

from pipeline.artefacts.features import FeatureStore, read_features, write_features
from pipeline.cellgraph.features.imported_embeddings import import_beside, match_tiles, with_embedding
from pipeline.errors import ArtefactError
from pipeline.provenance import file_digest


def _h5(path, coords, values, attributes=None):
    with h5py.File(path, "w") as file:
        file["features"] = np.asarray(values, np.float32)
        file["coords"] = np.asarray(coords)
        file["coords"].attrs.update(attributes or {})
    return path


@pytest.fixture
def store():
    """Four tiles of 512 level-0 pixels in a square."""
    return FeatureStore(
        slide_id="s",
        features=np.arange(4, dtype=np.float32)[:, None],
        feature_names=("a",),
        coords=np.array([[0, 0], [512, 0], [0, 512], [512, 512]]),
        tile_id=np.arange(4),
        tile_width_l0=512.0,
    )


def test_an_embedding_follows_the_tiles_of_the_store_and_reports_the_rest(store, tmp_path, caplog):
    """In another order, off by a few pixels, one tile missing and one too many."""
    path = _h5(tmp_path / "uni.h5", [[515, 510], [2, -3], [512, 0], [4096, 0]], [[30, 3], [0, 1], [10, 2], [9, 9]])
    with_uni = with_embedding(store, path, name="uni")
    np.testing.assert_array_equal(with_uni.embeddings["uni"], [[0, 1], [10, 2], [np.nan] * 2, [30, 3]])
    assert with_uni.unmatched == {"uni": {"tiles": 1, "imported": 1}}
    assert with_uni.upstream["embeddings/uni"] == file_digest(path)
    assert "1 of 4 tiles have none, 1 of 4 imported tiles have no place" in caplog.text


def test_an_embedding_stands_beside_the_features_of_the_cache(store, tmp_path):
    write_features(tmp_path / "s.zarr", store)
    path = _h5(tmp_path / "uni.h5", store.coords, np.eye(4))
    import_beside(path, tmp_path / "s.zarr", name="uni")
    import_beside(path, tmp_path / "s.zarr", name="conch.v1")
    read = read_features(tmp_path / "s.zarr")
    np.testing.assert_array_equal(read.features, store.features)
    assert set(read.embeddings) == {"uni", "conch.v1"}
    np.testing.assert_array_equal(read.embeddings["uni"], np.eye(4))
    assert read.unmatched["uni"] == {"tiles": 0, "imported": 0}


def test_features_of_another_slide_or_grid_are_refused(store, tmp_path):
    elsewhere = _h5(tmp_path / "far.h5", store.coords + 200, np.eye(4))
    with pytest.raises(ArtefactError, match=r"far\.h5: none of its 4 tiles lies where one of the 4 tiles of s does"):
        with_embedding(store, elsewhere, name="uni")
    coarser = _h5(tmp_path / "big.h5", store.coords, np.eye(4), {"patch_size_level0": 1024})
    with pytest.raises(ArtefactError, match=r"expected tiles of 512 level-0 pixels .* found 1024"):
        with_embedding(store, coarser, name="uni")
    with pytest.raises(ArtefactError, match="embedding name"):
        with_embedding(store, elsewhere, name="../uni")


def test_an_empty_store_stays_empty(store, tmp_path):
    empty = replace(
        store, features=np.zeros((0, 1)), coords=np.zeros((0, 2), int), tile_id=np.zeros(0), reason="no tissue"
    )
    with_uni = with_embedding(empty, _h5(tmp_path / "uni.h5", store.coords, np.eye(4)), name="uni")
    assert with_uni.embeddings["uni"].shape == (0, 4)
    assert with_uni.unmatched == {"uni": {"tiles": 0, "imported": 4}}


def test_no_imported_tile_is_given_to_two():
    """The second is nearer to (3, 0); the bound is inclusive."""
    coords, others = np.array([[0, 0], [2, 0], [100, 0]]), np.array([[3, 0], [105, 0]])
    assert match_tiles(coords, others, 5).tolist() == [-1, 0, 1]
    assert match_tiles(coords, others, 4.9).tolist() == [-1, 0, -1]
    assert match_tiles(np.zeros((0, 2), int), others, 5).tolist() == []


def test_a_tile_may_lie_off_by_a_fiftieth_of_its_side_in_either_direction(store, tmp_path):
    """A fiftieth of 512 pixels is 10.24."""
    shifted = _h5(tmp_path / "uni.h5", store.coords + np.array([[10, 0], [0, -10], [11, 0], [0, -11]]), np.eye(4))
    matched = ~np.isnan(with_embedding(store, shifted, name="uni").embeddings["uni"]).any(axis=1)
    assert matched.tolist() == [True, True, False, False]


def test_where_nothing_tells_the_side_of_a_tile_corners_agree_to_a_fiftieth_of_a_pixel(store, tmp_path):
    unknown = replace(store, tile_width_l0=None)
    same = with_embedding(unknown, _h5(tmp_path / "a.h5", store.coords, np.eye(4)), name="a")
    assert same.unmatched == {"a": {"tiles": 0, "imported": 0}}
    with pytest.raises(ArtefactError, match="none of its 4 tiles"):
        with_embedding(unknown, _h5(tmp_path / "b.h5", store.coords + 1, np.eye(4)), name="b")


def test_sides_may_differ_by_a_fiftieth(store, tmp_path):
    """516 / 512 is within, 523 / 512 is not."""
    near = _h5(tmp_path / "near.h5", store.coords, np.eye(4), {"patch_size_level0": 516})
    assert with_embedding(store, near, name="uni").unmatched["uni"]["tiles"] == 0
    far = _h5(tmp_path / "far.h5", store.coords, np.eye(4), {"patch_size_level0": 523})
    with pytest.raises(ArtefactError, match="found 523"):
        with_embedding(store, far, name="uni")


def test_an_embedding_of_the_same_name_is_replaced_and_others_stay(store, tmp_path):
    first, second = (_h5(tmp_path / f"{n}.h5", store.coords, n * np.eye(4)) for n in (1, 2))
    both = with_embedding(with_embedding(store, first, name="a"), second, name="b")
    again = with_embedding(both, second, name="a")
    assert set(again.embeddings) == {"a", "b"}
    np.testing.assert_array_equal(again.embeddings["a"], 2 * np.eye(4))
    assert again.upstream["embeddings/a"] == file_digest(second)


def test_the_encoder_of_an_embedding_is_known_as_far_as_its_file_tells(store, tmp_path):
    path = _h5(tmp_path / "uni.h5", store.coords, np.eye(4))
    with h5py.File(path, "r+") as file:
        file["features"].attrs["encoder"] = "uni_v1"
    with_uni = with_embedding(store, path, name="uni")
    assert with_uni.networks == {"embeddings/uni": "uni_v1"}
    silent = _h5(tmp_path / "silent.h5", store.coords, np.eye(4))
    assert with_embedding(with_uni, silent, name="uni").networks == {}
