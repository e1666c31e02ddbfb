import json
import shutil

import numpy as np
import pytest
import zarr

from pipeline.artefacts.zarr_store import (
    array_digest,
    expected_digests,
    is_sealed,
    open_store,
    read_array,
    write_store,
)
from pipeline.errors import ArtefactError


@pytest.mark.parametrize("shape", [(0,), (1,), (5000,), (0, 3), (5000, 3), (2, 0), (2, 5000), (2, 2)])
def test_arrays_of_any_size_survive_the_round_trip(tmp_path, shape):
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    write_store(tmp_path / "s.zarr", {"inner/values": array}, {"kind": "features"})
    group = open_store(tmp_path / "s.zarr", "features")
    np.testing.assert_array_equal(read_array(group, "inner/values", "s.zarr", "features"), array)
    assert group.attrs["kind"] == "features"


def test_writing_again_replaces_the_whole_store(tmp_path):
    write_store(tmp_path / "s.zarr", {"old": np.zeros(3)}, {})
    write_store(tmp_path / "s.zarr", {"new": np.zeros(3)}, {})
    assert sorted(open_store(tmp_path / "s.zarr", "features").array_keys()) == ["new"]


def test_a_folder_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "s.zarr").mkdir()
    with pytest.raises(ArtefactError, match="cannot be opened"):
        open_store(tmp_path / "s.zarr", "features")
    with pytest.raises(ArtefactError, match="no such folder"):
        open_store(tmp_path / "missing.zarr", "features")


def test_a_group_in_place_of_an_array_is_named(tmp_path):
    write_store(tmp_path / "s.zarr", {"inner/values": np.zeros(3)}, {})
    with pytest.raises(ArtefactError, match="array 'inner' is missing"):
        read_array(open_store(tmp_path / "s.zarr", "features"), "inner", "s.zarr", "features")


def whole_store(tmp_path):
    path = tmp_path / "s.zarr"
    arrays = {"zeros": np.zeros((3, 2), np.float32), "deep/ones": np.ones(4, np.int64), "none": np.zeros((0, 2))}
    write_store(path, arrays, {"kind": "features"})
    return path


@pytest.mark.parametrize("name", ["zeros", "deep/ones", "none"])
def test_every_array_comes_back(tmp_path, name):
    group = open_store(whole_store(tmp_path), "features")
    assert array_digest(read_array(group, name, "s", "features")) == expected_digests(group)[name]


def test_a_chunk_that_is_gone_is_damage_and_not_zeros(tmp_path):
    path = whole_store(tmp_path)
    shutil.rmtree(path / "deep/ones/c")
    with pytest.raises(ArtefactError, match=r"s\.zarr: array 'deep/ones' is damaged"):
        read_array(open_store(path, "features"), "deep/ones", path, "features")


def test_an_array_that_is_gone_is_named(tmp_path):
    path = whole_store(tmp_path)
    shutil.rmtree(path / "zeros")
    with pytest.raises(ArtefactError, match="array 'zeros' is missing"):
        open_store(path, "features")


def test_another_value_is_damage_even_where_checksums_hold(tmp_path):
    path = whole_store(tmp_path)
    zarr.open_group(path, mode="r+")["deep/ones"][1] = 2
    with pytest.raises(ArtefactError, match="deep/ones"):
        read_array(open_store(path, "features"), "deep/ones", path, "features")


def unsealed_store(tmp_path, values):
    path = tmp_path / "other.zarr"
    zarr.create_array(path, name="values", data=values, chunks=(2,))
    return path


def test_a_store_that_says_nothing_of_its_arrays_is_read(tmp_path):
    path = unsealed_store(tmp_path, np.ones(4))
    group = open_store(path, "features")
    assert not is_sealed(group)
    assert read_array(group, "values", path, "features").tolist() == [1, 1, 1, 1]


def test_missing_chunks_of_a_store_without_digests_are_told(tmp_path, caplog):
    path = unsealed_store(tmp_path, np.ones(4))
    (path / "values/c/1").unlink()
    assert read_array(open_store(path, "features"), "values", path, "features").tolist() == [1, 1, 0, 0]
    assert "1 of 2 chunks of array 'values' are not in the store and read as 0.0" in caplog.text


@pytest.mark.parametrize(
    "edit",
    [
        lambda document: document["attributes"].update(kind="nuclei"),
        lambda document: document["attributes"].update(more=1),
        lambda document: document["attributes"]["digests"].update(zeros="0" * 16),
        lambda document: document["consolidated_metadata"]["metadata"]["zeros"].update(shape=[1, 2]),
        lambda document: document["consolidated_metadata"]["metadata"].pop("none"),
    ],
)
def test_metadata_that_are_not_those_that_were_written_are_damage(tmp_path, edit):
    metadata = whole_store(tmp_path) / "zarr.json"
    document = json.loads(metadata.read_text())
    edit(document)
    metadata.write_text(json.dumps(document))
    with pytest.raises(ArtefactError, match=r"zarr\.json is not the one that was written.*snakemake --forcerun"):
        open_store(metadata.parent, "features")


@pytest.mark.parametrize("content", [b"", b"\0" * 300, b"{}", b"[]", b'{"attributes": 1}', b"\xff\xfe"])
def test_metadata_that_are_none_are_told(tmp_path, content):
    path = whole_store(tmp_path)
    (path / "zarr.json").write_bytes(content)
    with pytest.raises(ArtefactError, match="cannot be opened"):
        open_store(path, "features")


def test_a_digest_knows_dtype_shape_and_values():
    ones = np.ones((2, 3), np.float32)
    others = [ones.T, ones.astype(np.float64), ones.ravel(), ones * 2, np.zeros((0, 3), np.float32)]
    assert len({array_digest(a) for a in (ones, *others)}) == 6
    assert array_digest(np.asfortranarray(ones)) == array_digest(ones)
