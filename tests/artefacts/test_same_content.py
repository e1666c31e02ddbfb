import os
import shutil
from pathlib import Path

import pytest

from pipeline.artefacts.fingerprint import BLOCK_BYTES
from pipeline.artefacts.same_content import likely_same, surely_same, taken_fingerprints


@pytest.fixture
def files(tmp_path):
    def make(**contents: bytes) -> list[Path]:
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content)
        return [tmp_path / name for name in contents]

    return make


def names(groups: list[list[Path]]) -> list[set[str]]:
    return sorted(({file.name for file in group} for group in groups), key=sorted)


def test_copies_are_found_whatever_their_names(files):
    given = files(a=b"one", b=b"two", c=b"one", d=b"three")
    assert names(likely_same(given, taken_fingerprints)) == [{"a", "c"}]
    assert names(surely_same(given)) == [{"a", "c"}]


def test_one_path_twice_and_links_are_one_file(files, tmp_path):
    (a, b) = files(a=b"one", b=b"two")
    (tmp_path / "soft").symlink_to(a)
    os.link(b, tmp_path / "hard")
    groups = likely_same([a, b, tmp_path / "soft", tmp_path / "hard", a], taken_fingerprints)
    assert names(groups) == [{"a", "soft"}, {"b", "hard"}]
    assert sorted(map(len, groups)) == [2, 3]


def test_files_of_different_sizes_are_not_read(files):
    def refused(given):
        raise AssertionError(given)

    assert likely_same(files(a=b"1", b=b"22", c=b"333"), refused) == []


def test_fingerprints_are_asked_once_for_all_files_that_share_a_size(files):
    asked = []

    def recorded(given):
        asked.append({file.name for file in given})
        return taken_fingerprints(given)

    likely_same(files(a=b"1", b=b"2", c=b"33", d=b"44", e=b"555"), recorded)
    assert asked == [{"a", "b", "c", "d"}]


def test_what_a_fingerprint_misses_is_read_whole(files):
    whole = bytearray(BLOCK_BYTES * 8)
    other = bytearray(whole)
    other[BLOCK_BYTES * 2] = 1
    given = files(a=bytes(whole), b=bytes(other))
    assert len(likely_same(given, taken_fingerprints)) == 1
    assert surely_same(given) == []


def test_empty_missing_and_impossible_files_have_no_content(files, tmp_path):
    given = [*files(a=b"", b=b""), tmp_path / "gone", tmp_path / "nul\0", tmp_path / ("x" * 5000)]
    assert likely_same(given, taken_fingerprints) == []
    assert surely_same(given[2:]) == []


def test_folders_are_compared_by_what_they_hold(tmp_path):
    for name, content in (("a.zarr", b"one"), ("b.zarr", b"two")):
        (tmp_path / name / "features").mkdir(parents=True)
        (tmp_path / name / "features/c0").write_bytes(content)
    shutil.copytree(tmp_path / "a.zarr", tmp_path / "c.zarr")
    given = [tmp_path / f"{name}.zarr" for name in "abc"]
    assert names(likely_same(given, taken_fingerprints)) == names(surely_same(given)) == [{"a.zarr", "c.zarr"}]


def test_a_slide_of_several_files_is_compared_with_all_of_them(tmp_path):
    for name, content in (("a", b"one"), ("b", b"two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Data0001.dat").write_bytes(content)
        (tmp_path / f"{name}.mrxs").write_bytes(b"the same head")
    given = [tmp_path / "a.mrxs", tmp_path / "b.mrxs"]
    assert likely_same(given, taken_fingerprints) == surely_same(given) == []


def test_a_file_that_cannot_be_read_stands_in_no_group(files, monkeypatch):
    given = files(a=b"one", b=b"one")

    def refused(*_, **__):
        raise PermissionError("no")

    monkeypatch.setattr(Path, "open", refused)
    assert list(taken_fingerprints(given)) == ["", ""]
    assert likely_same(given, taken_fingerprints) == surely_same(given) == []
