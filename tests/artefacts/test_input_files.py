import os
import struct

import pytest

from pipeline.artefacts.input_files import belonging_files, listed_files


def names(files):
    return [file.name for file in files]


def dicom(path, uid: str, *, implicit: bool = False) -> None:
    """The start of a DICOM file: preamble, a tag before, then its SeriesInstanceUID, padded to even length."""
    value = uid.encode() + b"\0" * (len(uid) % 2)
    length = struct.pack("<I", len(value)) if implicit else b"UI" + struct.pack("<H", len(value))
    path.write_bytes(bytes(128) + b"DICM" + b"\x08\x00\x60\x00CS\x02\x00SM" + b"\x20\x00\x0e\x00" + length + value)


def test_most_inputs_are_one_file(tmp_path):
    (tmp_path / "a.svs").write_bytes(b"1")
    (tmp_path / "a.dat").write_bytes(b"2")
    assert listed_files(tmp_path / "a.svs") == belonging_files(tmp_path / "a.svs") == [tmp_path / "a.svs"]


def test_a_mirax_slide_is_its_file_and_its_folder(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a.mrxs", "a/Slidedat.ini", "a/Data0001.dat", "a/Data0000.dat", "b.mrxs"):
        (tmp_path / name).write_bytes(b"1")
    assert names(listed_files(tmp_path / "a.mrxs")) == ["a.mrxs", "Data0000.dat", "Data0001.dat", "Slidedat.ini"]


def test_a_mirax_slide_without_its_folder_is_its_file(tmp_path):
    (tmp_path / "a.mrxs").write_bytes(b"1")
    assert names(listed_files(tmp_path / "a.mrxs")) == ["a.mrxs"]


def test_a_link_to_a_mirax_slide_is_followed(tmp_path):
    (tmp_path / "store/a").mkdir(parents=True)
    for name in ("a.mrxs", "a/Data0000.dat"):
        (tmp_path / "store" / name).write_bytes(b"1")
    (tmp_path / "linked.mrxs").symlink_to(tmp_path / "store/a.mrxs")
    assert names(listed_files(tmp_path / "linked.mrxs")) == ["a.mrxs", "Data0000.dat"]


def test_a_hamamatsu_slide_is_its_file_and_what_it_names(tmp_path):
    keys = "[Virtual Microscope Specimen]\nImageFile=a.jpg\nImageFile(1,0)=b.jpg\nMapFile=map.jpg\nFolder=/etc/passwd\n"
    (tmp_path / "a.vms").write_text(keys + "MacroImage=gone.jpg\nEmpty=\n")
    for name in ("a.jpg", "b.jpg", "map.jpg", "other.jpg"):
        (tmp_path / name).write_bytes(b"1")
    assert names(listed_files(tmp_path / "a.vms")) == ["a.vms", "a.jpg", "b.jpg", "map.jpg"]


@pytest.mark.parametrize("implicit", [False, True])
def test_a_dicom_slide_is_all_files_of_its_series(tmp_path, implicit):
    dicom(tmp_path / "1.dcm", "1.2.30", implicit=implicit)
    dicom(tmp_path / "2.dcm", "1.2.30", implicit=implicit)
    dicom(tmp_path / "3.dcm", "1.2.3", implicit=implicit)
    assert names(listed_files(tmp_path / "2.dcm")) == ["2.dcm", "1.dcm", "3.dcm"]
    assert names(belonging_files(tmp_path / "2.dcm")) == ["2.dcm", "1.dcm"]


def test_a_dicom_file_that_names_no_series_belongs_to_all_of_its_folder(tmp_path):
    (tmp_path / "1.dcm").write_bytes(b"nothing")
    dicom(tmp_path / "2.dcm", "1.2.3")
    assert names(belonging_files(tmp_path / "1.dcm")) == ["1.dcm", "2.dcm"]


def test_a_folder_is_its_files_without_hidden_ones_of_others(tmp_path):
    store = tmp_path / "a.zarr"
    (store / "x").mkdir(parents=True)
    for name in ("zarr.json", ".zgroup", ".snakemake_timestamp", ".DS_Store", "x/0", "x/.zarray"):
        (store / name).write_bytes(b"1")
    assert [file.relative_to(store).as_posix() for file in listed_files(store)] == [
        ".zgroup",
        "zarr.json",
        "x/.zarray",
        "x/0",
    ]


def test_only_so_many_files_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.artefacts.input_files.MOST_LISTED", 3)
    for number in range(5):
        (tmp_path / str(number)).write_bytes(b"1")
    assert names(listed_files(tmp_path)) == ["0", "1", "2"]


def test_what_is_missing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        listed_files(tmp_path / "gone.svs")


def test_a_pipe_is_an_error_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.svs")
    with pytest.raises(OSError, match="no regular file"):
        listed_files(tmp_path / "a.svs")
