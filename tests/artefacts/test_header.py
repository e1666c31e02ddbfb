import pytest

from pipeline.artefacts.header import check_header
from pipeline.errors import ArtefactError

OF_THIS_VERSION = {"provenance": {"format_version": 1}}


def test_a_header_of_this_kind_and_version_passes():
    check_header({"kind": "tiles", **OF_THIS_VERSION}, "tiles", "t.parquet")


@pytest.mark.parametrize("header", [{}, {"kind": "nuclei"}, {"kind": "nuclei", **OF_THIS_VERSION}])
def test_another_kind_is_refused(header):
    with pytest.raises(ArtefactError, match=r"t\.parquet: expected tiles, found"):
        check_header(header, "tiles", "t.parquet")


@pytest.mark.parametrize("provenance", [{}, {"format_version": 0}, {"format_version": 2}])
def test_another_version_is_refused(provenance):
    with pytest.raises(ArtefactError, match=r"t\.parquet: expected format version 1, found"):
        check_header({"kind": "tiles", "provenance": provenance}, "tiles", "t.parquet")
