from dataclasses import replace

import h5py
import numpy as np
import pytest

from pipeline.artefacts.features import FeatureStore, read_features, write_features
from pipeline.cellgraph.import_features import import_beside, import_features, match_tiles, with_embedding
from pipeline.errors import ArtefactError
from pipeline.provenance import file_digest


def _h5(path, coords, values, attributes=None, **root):
    stamp = bool(root)
    with h5py.File(path, "w") as file:
        file["feats" if stamp else "features"] = np.asarray(values, np.float16 if stamp else np.float32)
        file["coords"] = np.asarray(coords)
        file["coords"].attrs.update(attributes or {})
        file.attrs.update(root)
    return path


@pytest.fixture
def stamp_file(tmp_path):
    """Two tiles of 256 um, 224 px, side by side."""
    coords, values = [[0.0, 0.0], [256.0, 0.0]], [[1, 2], [3, 4]]
    return _h5(tmp_path / "s.h5", coords, values, unit="um", tile_size_um=256.0, tile_size_px=224, stamp_version="2.4")


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


def test_micrometres_of_stamp_become_level_0_pixels(stamp_file, tmp_path):
    import_features(stamp_file, tmp_path / "s.zarr", slide_id="s", source="x", slide_mpp=0.25)
    read = read_features(tmp_path / "s.zarr")
    assert read.coords.tolist() == [[0, 0], [1024, 0]]
    assert (read.tile_px, read.tile_width_l0) == (224, 1024.0)
    assert read.mpp == pytest.approx(256 / 224)
    assert read.features.tolist() == [[1, 2], [3, 4]]


def test_micrometres_without_the_slides_resolution_are_refused(stamp_file):
    with pytest.raises(ArtefactError, match=r"s\.h5: coordinates are in um .* column mpp"):
        read_features(stamp_file)


def test_a_file_of_feats_in_an_unknown_unit_is_refused(tmp_path):
    path = _h5(tmp_path / "x.h5", [[0, 0]], [[1]], unit="px", tile_size_um=256.0)
    with pytest.raises(ArtefactError, match="unit = 'um'"):
        read_features(path, slide_mpp=0.5)


def test_an_embedding_follows_the_tiles_of_the_store_and_reports_the_rest(store, tmp_path, caplog):
    """In another order, off by a few pixels, one tile missing and one too many."""
    path = _h5(tmp_path / "uni.h5", [[515, 510], [2, -3], [512, 0], [4096, 0]], [[30, 3], [0, 1], [10, 2], [9, 9]])
    found = with_embedding(store, path, name="uni")
    np.testing.assert_array_equal(found.embeddings["uni"], [[0, 1], [10, 2], [np.nan] * 2, [30, 3]])
    assert found.unmatched == {"uni": {"tiles": 1, "imported": 1}}
    assert found.upstream["embeddings/uni"] == file_digest(path)
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
    found = with_embedding(empty, _h5(tmp_path / "uni.h5", store.coords, np.eye(4)), name="uni")
    assert found.embeddings["uni"].shape == (0, 4)
    assert found.unmatched == {"uni": {"tiles": 0, "imported": 4}}


def test_no_imported_tile_is_given_to_two():
    """The second is nearer to (3, 0); the bound is inclusive."""
    coords, others = np.array([[0, 0], [2, 0], [100, 0]]), np.array([[3, 0], [105, 0]])
    assert match_tiles(coords, others, 5).tolist() == [-1, 0, 1]
    assert match_tiles(coords, others, 4.9).tolist() == [-1, 0, -1]
    assert match_tiles(np.zeros((0, 2), int), others, 5).tolist() == []
