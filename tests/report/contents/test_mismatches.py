from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.artefacts.json_files import write_json
from pipeline.report.contents.mismatches import Mismatches, read_mismatches
from pipeline.report.contents.report_sources import ReportSources


@pytest.fixture
def sources(tmp_path: Path) -> ReportSources:
    return ReportSources("v1.2", (), tmp_path, (), (), (), predictions=tmp_path / "v1.2.csv")


def test_they_are_read_from_the_provenances_of_splits_and_predictions(sources: ReportSources, tmp_path: Path) -> None:
    write_json(tmp_path / "provenance.json", {"mismatches": ["slide a: x"]})
    write_json(tmp_path / "v1.2.provenance.json", {"mismatches": ["slide n: y"]})
    assert read_mismatches(sources) == Mismatches(("slide a: x",), ("slide n: y",))


def test_there_are_none_where_nothing_was_allowed_or_predicted(sources: ReportSources, tmp_path: Path) -> None:
    assert read_mismatches(sources) == Mismatches()
    write_json(tmp_path / "provenance.json", {"params": {}})
    assert read_mismatches(replace(sources, predictions=None)) == Mismatches()
