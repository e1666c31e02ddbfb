import os
import shutil

import pytest

from pipeline.artefacts.fingerprint import BLOCK_BYTES, fingerprint


@pytest.fixture
def large(tmp_path):
    """A file of ten blocks."""
    path = tmp_path / "large.tif"
    path.write_bytes(bytes(10 * BLOCK_BYTES))
    return path


def changed(path, place: int) -> str:
    """Fingerprint of ``path`` with another byte at ``place``, put back afterwards."""
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(b"\1")
    after = fingerprint(path)
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(b"\0")
    return after


def test_a_copy_with_another_name_and_date_has_the_same(large, tmp_path):
    shutil.copy(large, tmp_path / "copy.svs")
    os.utime(tmp_path / "copy.svs", (0, 0))
    assert fingerprint(tmp_path / "copy.svs") == fingerprint(large)


@pytest.mark.parametrize("place", [0, BLOCK_BYTES - 1, 5 * BLOCK_BYTES, 9 * BLOCK_BYTES, 10 * BLOCK_BYTES - 1])
def test_start_middle_and_end_count(large, place):
    assert changed(large, place) != fingerprint(large)


@pytest.mark.parametrize("place", [BLOCK_BYTES, 4 * BLOCK_BYTES, 6 * BLOCK_BYTES])
def test_what_lies_between_is_missed_as_the_documentation_says(large, place):
    assert changed(large, place) == fingerprint(large)


def test_the_size_counts(large):
    before = fingerprint(large)
    with large.open("ab") as stream:
        stream.write(bytes(1))
    assert fingerprint(large) != before


@pytest.mark.parametrize("size", [1, BLOCK_BYTES, 2 * BLOCK_BYTES + 7, 3 * BLOCK_BYTES])
def test_every_byte_of_a_small_file_counts(tmp_path, size):
    path = tmp_path / "small.h5"
    path.write_bytes(bytes(size))
    assert all(changed(path, place) != fingerprint(path) for place in {0, size // 3, size // 2, size - 1})


def test_an_empty_file_has_one(tmp_path):
    (tmp_path / "empty").touch()
    assert len(fingerprint(tmp_path / "empty")) == 16


@pytest.fixture
def mirax(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a.mrxs").write_bytes(b"label")
    for name in ("Slidedat.ini", "Data0000.dat", "Data0001.dat"):
        (tmp_path / "a" / name).write_bytes(name.encode())
    return tmp_path / "a.mrxs"


def test_the_data_beside_a_mirax_file_count(mirax):
    before = fingerprint(mirax)
    (mirax.parent / "a/Data0001.dat").write_bytes(b"Data0002.dat")
    assert fingerprint(mirax) != before


def test_a_file_more_beside_a_mirax_file_counts(mirax):
    before = fingerprint(mirax)
    (mirax.parent / "a/Data0002.dat").write_bytes(b"")
    assert fingerprint(mirax) != before


def test_a_mirax_slide_under_another_name_has_the_same(mirax):
    shutil.copytree(mirax.parent / "a", mirax.parent / "b")
    shutil.copy(mirax, mirax.parent / "b.mrxs")
    assert fingerprint(mirax.parent / "b.mrxs") == fingerprint(mirax)


def test_names_count_inside_a_folder(tmp_path):
    for store, first, second in (("a.zarr", b"1", b"2"), ("b.zarr", b"2", b"1"), ("c.zarr", b"1", b"2")):
        (tmp_path / store / "c").mkdir(parents=True)
        (tmp_path / store / "c/0").write_bytes(first)
        (tmp_path / store / "c/1").write_bytes(second)
    assert fingerprint(tmp_path / "a.zarr") == fingerprint(tmp_path / "c.zarr") != fingerprint(tmp_path / "b.zarr")


def test_of_very_many_files_all_sizes_and_some_bytes_count(tmp_path):
    store = tmp_path / "many.zarr"
    store.mkdir()
    for number in range(100):
        (store / f"{number:03d}").write_bytes(b"0")
    before = fingerprint(store)
    (store / "001").write_bytes(b"1")
    assert fingerprint(store) == before
    for name, content in (("001", b"00"), ("000", b"1"), ("099", b"1")):
        (store / name).write_bytes(content)
        assert fingerprint(store) != before
        (store / name).write_bytes(b"0")


def test_what_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(OSError, match="gone"):
        fingerprint(tmp_path / "gone.svs")
