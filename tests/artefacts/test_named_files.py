import os
import time

import pytest

from pipeline.artefacts.named_files import missing_files


def test_files_and_stores_are_there(tmp_path):
    (tmp_path / "a.svs").touch()
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "link.svs").symlink_to(tmp_path / "a.svs")
    assert missing_files([tmp_path / "a.svs", tmp_path / "b.zarr", tmp_path / "link.svs"]) == {}


def test_what_is_no_file_says_why(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.svs").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    expected = {
        "gone.svs": "no such file: ",
        "folder": "expected a file, found a folder: ",
        "pipe": "expected a file, found a pipe or a device: ",
        "a.svs/b.svs": "no such file can be looked at (Not a directory): ",
        "x" * 5000: "no such file can be looked at (File name too long): ",
        "nul\0": "no such file can be looked at (embedded null byte): ",
        "loop": "no such file can be looked at (Too many levels of symbolic links): ",
    }
    found = missing_files(tmp_path / name for name in expected)
    assert [found[tmp_path / name].startswith(reason) for name, reason in expected.items()] == [True] * len(expected)


@pytest.mark.parametrize(
    ("there", "named"), [("a.SVS", "a.svs"), ("Ko\u0308ln.svs", "K\u00f6ln.svs"), ("a b.svs", "a\u00a0b.svs")]
)
def test_a_file_whose_name_only_looks_the_same_is_named(tmp_path, there, named):
    (tmp_path / there).touch()
    (reason,) = missing_files([tmp_path / named]).values()
    assert "; beside it lies " in reason
    assert "which only looks the same" in reason


def test_thousands_of_missing_files_of_a_full_folder_are_told_in_seconds(tmp_path):
    for number in range(3000):
        (tmp_path / f"{number}.svs").touch()
    start = time.process_time()
    assert len(missing_files(tmp_path / f"{number}.SVS" for number in range(3000))) == 3000
    assert time.process_time() - start < 10
