import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest
import zarr

from pipeline.artefacts.features import read_features, write_features
from pipeline.cellgraph.import_features import import_features
from pipeline.errors import ArtefactError
from pipeline.provenance import file_digest


def test_round_trip(tmp_path, store):
    write_features(tmp_path / "s1.zarr", store)
    read = read_features(tmp_path / "s1.zarr")
    for name, value in vars(store).items():
        if name == "embeddings":
            np.testing.assert_array_equal(read.embeddings["uni"], value["uni"])
        else:
            np.testing.assert_equal(getattr(read, name), value, err_msg=name)


def test_the_same_store_has_the_same_bytes(tmp_path, store):
    for name in ("a.zarr", "b.zarr"):
        write_features(tmp_path / name, store)
    assert file_digest(tmp_path / "a.zarr") == file_digest(tmp_path / "b.zarr")


def test_the_store_is_as_the_contract_says(tmp_path, store):
    write_features(tmp_path / "s1.zarr", store)
    group = zarr.open_group(tmp_path / "s1.zarr", mode="r")
    assert (tmp_path / "s1.zarr" / "zarr.json").is_file()
    assert group["features"].dtype == np.float32
    assert group["features"].shards is not None
    assert group["coords"].dtype == np.int64
    assert group["tile_id"].dtype == np.int64
    assert group["embeddings/uni"].shape == (4, 2)
    assert group.attrs["feature_names"] == ["a", "b", "c"]
    assert {"format_version", "slide_id", "mpp", "tile_px", "tile_width_l0", "params", "source", "reason"} <= set(
        group.attrs
    )


def test_a_slide_without_tiles_needs_a_reason(tmp_path, store):
    empty = replace(
        store,
        features=np.zeros((0, 3), np.float32),
        coords=np.zeros((0, 2)),
        tile_id=np.zeros(0),
        valid=None,
        embeddings={},
    )
    with pytest.raises(ArtefactError, match="must say its reason"):
        write_features(tmp_path / "s1.zarr", empty)
    write_features(tmp_path / "s1.zarr", replace(empty, reason="no tissue found"))
    read = read_features(tmp_path / "s1.zarr")
    assert read.reason == "no tissue found"
    assert read.features.shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"valid": None}, "1 values are NaN without valid = False"),
        ({"feature_names": ("a",)}, "must hold 3 names, found 1"),
        ({"coords": np.zeros((3, 2), np.int64)}, r"coords must be \(4, 2\)"),
        ({"features": np.full((4, 3), np.inf, np.float32)}, "infinite"),
    ],
)
def test_an_inconsistent_store_is_never_written(tmp_path, store, change, message):
    with pytest.raises(ArtefactError, match=message):
        write_features(tmp_path / "s1.zarr", replace(store, **change))
    assert not (tmp_path / "s1.zarr").exists()


def test_a_damaged_shard_is_noticed(tmp_path, store):
    write_features(tmp_path / "s1.zarr", store)
    shard = next(
        path for path in (tmp_path / "s1.zarr" / "features").rglob("*") if path.is_file() and path.name != "zarr.json"
    )
    content = bytearray(shard.read_bytes())
    content[3] ^= 0xFF
    shard.write_bytes(bytes(content))
    with pytest.raises(ArtefactError, match="'features' is damaged"):
        read_features(tmp_path / "s1.zarr")


def edit_attributes(path, changed, gone=("digest", "digests")):
    """Another store's attributes: those of one that was written, without its digests."""
    group = zarr.open_group(path, mode="a", use_consolidated=False)
    group.attrs.put({name: value for name, value in {**group.attrs, **changed}.items() if name not in gone})
    zarr.consolidate_metadata(group.store)


def test_another_version_and_a_missing_array_are_refused(tmp_path, store):
    write_features(tmp_path / "s1.zarr", store)
    shutil.rmtree(tmp_path / "s1.zarr/coords")
    with pytest.raises(ArtefactError, match="array 'coords' is missing"):
        read_features(tmp_path / "s1.zarr")
    write_features(tmp_path / "s1.zarr", store)
    edit_attributes(tmp_path / "s1.zarr", {"format_version": 7})
    with pytest.raises(ArtefactError, match="expected format version 2, found 7"):
        read_features(tmp_path / "s1.zarr")


@pytest.mark.parametrize(("source", "said"), [("abc", "before abignet's files carried digests"), ("", "another tool")])
def test_stores_of_version_1_are_read_and_said_once_to_be_unverified(
    tmp_path, store, caplog, monkeypatch, source, said
):
    monkeypatch.setattr("pipeline.artefacts.unverified._said", set())
    for name in ("s1", "s2"):
        write_features(tmp_path / f"{name}.zarr", store)
        edit_attributes(tmp_path / f"{name}.zarr", {"format_version": 1, "source": source})
        np.testing.assert_array_equal(read_features(tmp_path / f"{name}.zarr").features, store.features)
    (warning,) = caplog.records
    assert said in warning.message
    assert "s1.zarr" in warning.message


def test_a_store_of_version_2_that_lost_its_digests_is_damaged(tmp_path, store):
    write_features(tmp_path / "s1.zarr", store)
    edit_attributes(tmp_path / "s1.zarr", {})
    with pytest.raises(ArtefactError, match="carries a digest of itself, and this one none"):
        read_features(tmp_path / "s1.zarr")


@pytest.fixture
def trident_file(tmp_path):
    path = tmp_path / "slide.h5"
    with h5py.File(path, "w") as file:
        file["features"] = np.arange(6, dtype=np.float32).reshape(1, 3, 2)
        file["coords"] = np.array([[[0, 0], [1012, 0], [0, 1012]]])
        file["coords"].attrs.update({"patch_size": 512, "patch_size_level0": 1012})
    return path


def test_a_trident_file_is_read_in_its_order(trident_file):
    store = read_features(trident_file)
    assert store.features.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert store.coords.tolist() == [[0, 0], [1012, 0], [0, 1012]]
    assert (store.mpp, store.tile_px, store.tile_width_l0) == (None, 512, 1012.0)


def test_sizes_are_read_as_in_a_coordinates_file(trident_file):
    with h5py.File(trident_file, "r+") as file:
        del file["coords"].attrs["patch_size_level0"]
        file["coords"].attrs.update({"patch_level": 1, "downsample": (4.0, 4.0)})
    assert read_features(trident_file).tile_width_l0 == 2048
    with h5py.File(trident_file, "r+") as file:
        file["coords"].attrs.update({"target_mpp": 0.5, "level0_mpp": 0.25})
    store = read_features(trident_file)
    assert (store.mpp, store.tile_px, store.tile_width_l0) == (0.5, 512, 1024)


def test_importing_names_the_slide_and_its_origin(tmp_path, trident_file):
    import_features(trident_file, tmp_path / "s9.zarr", slide_id="s9", source="abc")
    store = read_features(tmp_path / "s9.zarr")
    assert store.slide_id == "s9"
    assert store.upstream == {"imported": file_digest(trident_file)}
    assert store.features.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_a_file_without_features_is_refused(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["coords"] = np.zeros((3, 2))
    with pytest.raises(ArtefactError, match="datasets 'features'"):
        read_features(tmp_path / "x.h5")


def test_a_cache_that_names_neither_slide_nor_features_has_its_files_name_and_numbers(tmp_path, store):
    write_features(tmp_path / "s7.zarr", store)
    gone = ("digest", "digests", "slide_id", "feature_names")
    edit_attributes(tmp_path / "s7.zarr", {"format_version": 1}, gone)
    read = read_features(tmp_path / "s7.zarr")
    assert (read.slide_id, read.feature_names) == ("s7", ("feature_0", "feature_1", "feature_2"))
