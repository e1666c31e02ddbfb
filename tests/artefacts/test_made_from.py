import logging

import pytest

from pipeline.artefacts import made_from
from pipeline.artefacts.made_from import check_made_from
from pipeline.errors import ArtefactError


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    monkeypatch.setattr(made_from, "_said", set())


def test_what_was_made_from_the_files_beside_it_passes(caplog):
    check_made_from("nuclei", "n", {"tiles": "1", "weights": "9"}, {"tiles": "t"}, {"tiles": "1", "nuclei": "5"})
    assert not caplog.text


def test_what_was_made_from_another_file_names_both_and_the_remedy():
    with pytest.raises(ArtefactError, match=r"n.parquet: .* other tiles than t.parquet: .* digest 1, found 2. Make it"):
        check_made_from("nuclei", "n.parquet", {"tiles": "1"}, {"tiles": "t.parquet"}, {"tiles": "2"})


def test_what_does_not_record_its_making_is_taken_and_said_once(caplog):
    with caplog.at_level(logging.WARNING, "abignet.artefacts"):
        for path in ("a.parquet", "b.parquet"):
            check_made_from("nuclei", path, {}, {"tiles": "t.parquet"}, {"tiles": "2"})
    assert caplog.text.count("does not record") == 1
    assert "a.parquet" in caplog.text
