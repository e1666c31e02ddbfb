import pytest

from pipeline.artefacts.header import check_header, check_slide, stated_version
from pipeline.errors import ArtefactError

OF_THIS_VERSION = {"format_version": 2}


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    monkeypatch.setattr("pipeline.artefacts.unverified._said", set())


def test_a_header_of_this_kind_and_version_passes(caplog):
    check_header({"kind": "tiles", **OF_THIS_VERSION}, "tiles", "t.parquet", sealed=True)
    assert caplog.text == ""


@pytest.mark.parametrize("header", [{}, {"kind": "nuclei"}, {"kind": "nuclei", **OF_THIS_VERSION}])
def test_another_kind_is_refused(header):
    with pytest.raises(ArtefactError, match=r"t\.parquet: expected tiles, found"):
        check_header(header, "tiles", "t.parquet", sealed=True)


@pytest.mark.parametrize("header", [{}, {"format_version": 0}, {"format_version": 3}, {"provenance": 1}])
def test_another_version_is_refused_with_what_makes_it_again(header):
    expected = r"t\.parquet: expected format version 2, found .*`snakemake --forcerun t\.parquet`.*`abignet tile`"
    with pytest.raises(ArtefactError, match=expected):
        check_header({"kind": "tiles", **header}, "tiles", "t.parquet", sealed=True)


def test_a_file_that_lost_its_digest_is_damaged():
    with pytest.raises(ArtefactError, match=r"t\.parquet: a file of format version 2 carries a digest"):
        check_header({"kind": "tiles", **OF_THIS_VERSION}, "tiles", "t.parquet", sealed=False)


@pytest.mark.parametrize(
    ("header", "said"),
    [({"provenance": {"format_version": 1}}, "before"), ({"format_version": 1, "source": "a"}, "before"),
     ({"format_version": 1}, "by another tool")],
)  # fmt: skip
def test_files_without_digest_are_told_once(header, said, caplog):
    for name in ("a", "b", "c"):
        check_header({"kind": "tiles", **header}, "tiles", name, sealed=False)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.message.startswith("a was written")
    assert said in record.message


def test_a_header_states_its_version_itself_or_in_its_provenance():
    assert stated_version({"provenance": {"format_version": 1}}) == 1
    assert stated_version({"provenance": {"format_version": 2}, "format_version": 3}) == 3
    assert stated_version({"provenance": []}) is None


def test_an_artefact_of_another_slide_is_refused_by_name():
    check_slide({"slide_id": "s1"}, "s1", "tiles", "t.parquet")
    with pytest.raises(ArtefactError, match=r"t\.parquet: expected tiles of slide s1, found those of 's2'\. Make it"):
        check_slide({"slide_id": "s2"}, "s1", "tiles", "t.parquet")
