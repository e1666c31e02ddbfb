import json
import logging
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from pipeline.artefacts import fingerprint_cache
from pipeline.artefacts.fingerprint import fingerprint
from pipeline.artefacts.fingerprint_cache import UNREADABLE, FingerprintCache

DATE = 1_577_836_800


@pytest.fixture
def slides(tmp_path):
    paths = [tmp_path / f"s{number}.tif" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * 1000)
    return paths


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "results/.fingerprints.json"


@pytest.fixture
def taken(monkeypatch):
    """Names of the files whose fingerprints are taken."""
    names = []

    def spied(path):
        names.append(Path(path).name)
        return fingerprint(path)

    monkeypatch.setattr(fingerprint_cache, "fingerprint", spied)
    return names


def test_it_gives_fingerprints(cache, slides):
    assert [FingerprintCache(cache).of(slide) for slide in slides] == [fingerprint(slide) for slide in slides]


def test_what_has_not_changed_is_not_read_again(cache, slides, taken):
    FingerprintCache(cache, slides).of(slides[0])
    assert sorted(taken) == ["s0.tif", "s1.tif", "s2.tif"]
    assert FingerprintCache(cache, slides).of(slides[2]) == fingerprint(slides[2])
    assert len(taken) == 3


def test_a_touched_file_is_read_again_and_is_the_same(cache, slides, taken):
    before = FingerprintCache(cache, slides).of(slides[0])
    os.utime(slides[0], (DATE, DATE))
    assert FingerprintCache(cache, slides).of(slides[0]) == before
    assert taken.count("s0.tif") == 2
    assert taken.count("s1.tif") == 1


def test_an_older_replacement_of_the_same_size_is_another(cache, slides):
    before = FingerprintCache(cache, slides).of(slides[0])
    os.utime(slides[1], (DATE, DATE))
    shutil.copy2(slides[1], slides[0])
    assert FingerprintCache(cache, slides).of(slides[0]) not in (before, UNREADABLE)


def test_a_replacement_of_the_same_size_and_date_is_another(cache, slides):
    for slide in slides:
        os.utime(slide, (DATE, DATE))
    before = FingerprintCache(cache, slides).of(slides[0])
    shutil.copy2(slides[1], slides[0])
    assert slides[0].stat().st_mtime == DATE
    assert FingerprintCache(cache, slides).of(slides[0]) == fingerprint(slides[1]) != before


def test_one_object_sees_a_change_too(cache, slides):
    fingerprints = FingerprintCache(cache, slides)
    before = fingerprints.of(slides[0])
    slides[0].write_bytes(b"another")
    assert fingerprints.of(slides[0]) != before


def test_a_changed_companion_is_seen(cache, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a.mrxs").write_bytes(b"label")
    (tmp_path / "a/Data0000.dat").write_bytes(b"1")
    before = FingerprintCache(cache).of(tmp_path / "a.mrxs")
    (tmp_path / "a/Data0000.dat").write_bytes(b"2")
    assert FingerprintCache(cache).of(tmp_path / "a.mrxs") != before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": 1}',
        '{"format": 1, "fingerprints": []}',
        '{"format": 1, "fingerprints": {"a": 1}}',
        '{"format": 1, "fingerprints": {"a": ["b"]}}',
        '{"format": 1, "fingerprints": {"a": ["b", null]}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_cache_is_begun_anew_and_said(cache, slides, caplog, text):
    cache.parent.mkdir()
    cache.write_text(text)
    with caplog.at_level(logging.WARNING, "abignet.fingerprints"):
        assert FingerprintCache(cache).of(slides[0]) == fingerprint(slides[0])
    assert "damaged" in caplog.text
    assert str(cache) in caplog.text
    assert str(slides[0]) in json.loads(cache.read_text())["fingerprints"]


def test_a_cache_that_is_no_text_or_no_file_stops_nothing(cache, slides, caplog):
    cache.parent.mkdir()
    cache.write_bytes(b"\xff\xfe\0")
    assert FingerprintCache(cache).of(slides[0]) == fingerprint(slides[0])
    cache.unlink()
    cache.mkdir()
    assert FingerprintCache(cache).of(slides[0]) == fingerprint(slides[0])
    assert "not kept" in caplog.text


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path, slides, caplog):
    (tmp_path / "taken").write_text("a file")
    assert FingerprintCache(tmp_path / "taken/.fingerprints.json").of(slides[0]) == fingerprint(slides[0])
    assert "not kept" in caplog.text


def test_a_cache_of_another_format_is_begun_anew(cache, slides, caplog):
    cache.parent.mkdir()
    cache.write_text('{"format": 0, "fingerprints": {}}')
    assert FingerprintCache(cache).of(slides[0]) == fingerprint(slides[0])
    assert not caplog.text


def test_what_cannot_be_read_is_said_so_and_not_kept(cache, slides, tmp_path):
    fingerprints = FingerprintCache(cache, [*slides, tmp_path / "gone.svs"])
    assert fingerprints.of(tmp_path / "gone.svs") == UNREADABLE
    assert len(json.loads(cache.read_text())["fingerprints"]) == 3
    (tmp_path / "gone.svs").write_bytes(b"there now")
    assert fingerprints.of(tmp_path / "gone.svs") == fingerprint(tmp_path / "gone.svs")


def _take(cache, slide):
    return FingerprintCache(cache).of(slide)


def test_many_processes_may_use_one_cache_at_once(cache, slides):
    asked = slides * 10
    with ProcessPoolExecutor(4) as processes:
        given = list(processes.map(_take, [cache] * len(asked), asked))
    assert given == [fingerprint(slide) for slide in asked]
    assert json.loads(cache.read_text())["format"] == 1
    assert [file.name for file in cache.parent.iterdir()] == [cache.name]
