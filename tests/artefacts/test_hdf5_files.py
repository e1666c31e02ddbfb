import os
import signal
import time
import zlib

import h5py
import numpy as np
import pytest

from pipeline.artefacts import hdf5_files
from pipeline.artefacts.hdf5_files import read_hdf5
from pipeline.errors import ImportedFileError

EXPECTED = "an HDF5 file of squares"


@pytest.fixture
def squares(tmp_path):
    """Function ``write(name=array, ...)`` -> file."""

    def write(**arrays):
        path = tmp_path / "squares.h5"
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
        return path

    return write


def read(path, **datasets):
    return read_hdf5(path, datasets or {"x": None}, EXPECTED)


def test_values_types_and_order_are_those_of_the_file(squares):
    x, y = np.arange(6, dtype=">i2").reshape(2, 3), np.array([[0.5]], np.float16)
    contents = read(squares(x=x, y=y, z=[1]), x=None, y=np.float32, absent=None)
    assert set(contents.arrays) == {"x", "y"}
    np.testing.assert_array_equal(contents.arrays["x"], x)
    assert contents.arrays["x"].dtype == np.int16
    assert contents.arrays["y"].dtype == np.float32
    assert contents.arrays["y"].tolist() == [[0.5]]
    contents.arrays["x"][0, 0] = 7


@pytest.mark.parametrize(
    "options", [{"chunks": (2, 3)}, {"compression": "gzip", "shuffle": True}, {"fletcher32": True}]
)
def test_chunks_and_filters_are_decoded(tmp_path, options):
    x = np.arange(35).reshape(5, 7)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("x", data=x, **options)
    np.testing.assert_array_equal(read(tmp_path / "c.h5").arrays["x"], x)


def test_files_without_a_value_are_read(squares):
    assert read(squares(x=np.zeros((0, 4)))).arrays["x"].shape == (0, 4)


def test_attributes_are_plain_values(squares):
    path = squares(x=[1])
    with h5py.File(path, "a") as file:
        file.attrs["unit"] = b"um"
        file["x"].attrs.update(
            {
                "n": np.int16(3),
                "pair": (1.0, 2.0),
                "text": "é",
                "none": h5py.Empty("f"),
                "one": [5],
                "long": np.ones(99),
            }
        )
        file["x"].attrs["reference"] = file["x"].ref
    attributes = read(path).attributes
    assert attributes[""] == {"unit": "um"}
    assert attributes["x"] == {
        **{"n": 3, "pair": [1.0, 2.0], "text": "é", "none": None, "one": 5, "long": "an array of (99,)"},
        "reference": "a Reference",
    }


def test_one_process_serves_good_and_bad_files_and_is_replaced_when_it_is_gone(squares, tmp_path):
    path = squares(x=[1])
    read(path)
    first = hdf5_files._running[0].process
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(ImportedFileError):
        read(tmp_path / "text.h5")
    assert read(path).arrays["x"].tolist() == [1]
    assert hdf5_files._running[0].process is first
    first.kill()
    first.wait()
    assert read(path).arrays["x"].tolist() == [1]


def test_a_forked_process_reads_through_one_of_its_own(squares):
    path = squares(x=[1, 2])
    read(path)
    child = os.fork()
    if child == 0:
        os._exit(read(path).arrays["x"].tolist() != [1, 2])
    assert os.waitpid(child, 0)[1] == 0
    assert read(path).arrays["x"].tolist() == [1, 2]


def test_what_is_no_hdf5_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    (tmp_path / "empty.h5").touch()
    for name in ("pipe.h5", "none.h5", "text.h5", "empty.h5"):
        with pytest.raises(ImportedFileError, match=rf"{name}: expected an HDF5 file of squares; "):
            read(tmp_path / name)
    with pytest.raises(ImportedFileError, match="there is no such file"):
        read("/dev/zero")


def test_values_that_are_no_numbers_are_refused(squares):
    kinds = {"text": ["a"], "pairs": np.zeros(2, [("a", int), ("b", float)]), "true": [True], "complex": [1j]}
    path = squares(**kinds)
    with h5py.File(path, "a") as file:
        file["ragged"] = h5py.Empty("f")
        file.create_dataset("objects", (2,), h5py.vlen_dtype(np.int32))
        file.create_group("folder")
    for name in (*kinds, "objects"):
        with pytest.raises(ImportedFileError, match=f"expected numbers in '{name}', found values of type"):
            read(path, **{name: None})
    with pytest.raises(ImportedFileError, match="dataset 'ragged' has no values"):
        read(path, ragged=None)
    with pytest.raises(ImportedFileError, match="expected a dataset 'folder', found a group"):
        read(path, folder=None)


def test_values_outside_the_file_are_not_followed(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(32))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1.0]
    layout = h5py.VirtualLayout((1,), "f8")
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "x", (1,))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["linked"] = h5py.ExternalLink("other.h5", "x")
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("external", (4,), "f8", external=[(str(tmp_path / "secret"), 0, 32)])
    for name in ("linked", "virtual", "external"):
        with pytest.raises(ImportedFileError, match=r"other files?.*one file \(h5repack\)"):
            read(tmp_path / "a.h5", **{name: None})


def test_values_that_were_never_written_are_not_zeros(tmp_path):
    """A writer that was stopped: libhdf5 would read zeros."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("whole", (4, 2), "f4")
        file.create_dataset("chunked", (4, 2), "f4", chunks=(2, 2))[:2] = 1
        file.create_dataset("grown", data=np.ones((2, 2)), maxshape=(None, 2), chunks=(2, 2)).resize((4, 2))
    for name in ("whole", "chunked", "grown"):
        with pytest.raises(ImportedFileError, match=f"values of '{name}' were never written"):
            read(tmp_path / "a.h5", **{name: None})


def test_a_file_that_claims_more_than_it_can_hold_is_refused(tmp_path):
    """A chunk of zeros, 1024 times as large as its file, under every chunk of 1 TB."""
    chunk = zlib.compress(bytes(2**27), 9)
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        data = file.create_dataset("x", (2**27,), "u1", chunks=(2**27,), compression="gzip")
        data.id.write_direct_chunk((0,), chunk)
    with pytest.raises(ImportedFileError, match="134217728 bytes of values, more than can be in a file of its size"):
        read(tmp_path / "bomb.h5")


@pytest.mark.parametrize("name", ["endless_attribute.h5", "crashing_attribute.h5"])
def test_files_that_hang_or_crash_the_library_are_errors_of_these_files(name, request):
    path = request.path.parent / "damaged_hdf5" / name
    started = time.monotonic()
    with pytest.raises(ImportedFileError, match=rf"{name}: expected an HDF5 file of squares; .*it is damaged"):
        read(path, coords=None)
    assert time.monotonic() - started < 10


def test_a_store_that_does_not_answer_is_given_up(squares, monkeypatch):
    file = squares(x=[1])
    read(file)
    os.kill(hdf5_files._running[0].process.pid, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(hdf5_files, "WALL_SECONDS", 0.2)
        with pytest.raises(ImportedFileError, match="it took more than 0 s to read"):
            read(file)
    assert read(file).arrays["x"].tolist() == [1]
