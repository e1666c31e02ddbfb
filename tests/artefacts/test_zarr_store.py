import numpy as np
import pytest

from pipeline.artefacts.zarr_store import open_store, read_array, write_store
from pipeline.errors import ArtefactError


@pytest.mark.parametrize("shape", [(0,), (1,), (5000,), (0, 3), (5000, 3), (2, 0), (2, 5000), (2, 2)])
def test_arrays_of_any_size_survive_the_round_trip(tmp_path, shape):
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    write_store(tmp_path / "s.zarr", {"inner/values": array}, {"kind": "things"})
    group = open_store(tmp_path / "s.zarr", "things")
    np.testing.assert_array_equal(read_array(group, "inner/values", "s.zarr"), array)
    assert group.attrs["kind"] == "things"


def test_writing_again_replaces_the_whole_store(tmp_path):
    write_store(tmp_path / "s.zarr", {"old": np.zeros(3)}, {})
    write_store(tmp_path / "s.zarr", {"new": np.zeros(3)}, {})
    assert sorted(open_store(tmp_path / "s.zarr", "things").array_keys()) == ["new"]


def test_a_folder_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "s.zarr").mkdir()
    with pytest.raises(ArtefactError, match="cannot be opened"):
        open_store(tmp_path / "s.zarr", "things")
    with pytest.raises(ArtefactError, match="no such folder"):
        open_store(tmp_path / "missing.zarr", "things")


def test_a_group_in_place_of_an_array_is_named(tmp_path):
    write_store(tmp_path / "s.zarr", {"inner/values": np.zeros(3)}, {})
    with pytest.raises(ArtefactError, match="array 'inner' is missing"):
        read_array(open_store(tmp_path / "s.zarr", "things"), "inner", "s.zarr")
