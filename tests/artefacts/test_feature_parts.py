import shutil
from dataclasses import replace

import numpy as np
import pytest
import zarr

from pipeline.artefacts.feature_parts import open_features, read_patch_places
from pipeline.artefacts.features import write_features
from pipeline.errors import ArtefactError


def test_an_opened_cache_tells_its_shape_and_reads_its_features_alone(tmp_path, store):
    write_features(tmp_path / "s1.zarr", store)
    lazy = open_features(tmp_path / "s1.zarr")
    assert (lazy.slide_id, lazy.feature_names, lazy.n_tiles) == ("s1", ("a", "b", "c"), 4)
    np.testing.assert_array_equal(lazy.read(), store.features)
    shard = next(p for p in (tmp_path / "s1.zarr" / "features").rglob("*") if p.is_file() and p.name != "zarr.json")
    content = bytearray(shard.read_bytes())
    content[3] ^= 0xFF
    shard.write_bytes(bytes(content))
    with pytest.raises(ArtefactError, match="'features' is damaged"):
        open_features(tmp_path / "s1.zarr").read()


def test_a_half_written_or_foreign_store_is_not_opened(tmp_path, store):
    write_features(tmp_path / "s1.zarr", store)
    shutil.rmtree(tmp_path / "s1.zarr/features")
    with pytest.raises(ArtefactError, match="half-written"):
        open_features(tmp_path / "s1.zarr")
    zarr.open_group(tmp_path / "other.zarr", mode="w").attrs["answer"] = 42
    with pytest.raises(ArtefactError, match="expected format version 2, found None"):
        open_features(tmp_path / "other.zarr")


def test_places_of_patches_are_read_without_their_features(tmp_path, store):
    write_features(tmp_path / "s1.zarr", store)
    shutil.rmtree(tmp_path / "s1.zarr/features/c")
    places = read_patch_places(tmp_path / "s1.zarr")
    assert places.coords.tolist() == store.coords.tolist()
    assert (places.tile_width_l0, places.reason, places.source) == (1012.66, None, "abc")
    write_features(tmp_path / "s2.zarr", replace(store, tile_width_l0=None))
    assert read_patch_places(tmp_path / "s2.zarr").tile_width_l0 is None
