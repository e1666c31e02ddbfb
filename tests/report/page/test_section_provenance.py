import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy
import yaml

from pipeline import __version__
from pipeline.artefacts.json_files import write_provenance
from pipeline.report.contents.report_contents import Making, ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.page_elements import Details
from pipeline.report.page.section_provenance import provenance
from pipeline.report.params import ReportParams
from tests.report.page_reading import frame, tables, texts


def made(contents: ReportContents) -> ReportContents:
    return replace(contents, making=Making("abcd", "abignet report x", "2026-01-02 03:04"))


def test_version_dates_and_command_stand_first(standard: ReportContents) -> None:
    rows = frame(tables(provenance(made(standard)))[0]).set_index("what")["value"]
    assert rows["version"] == f"abignet {__version__}"
    assert rows[["this page", "command", "run"]].tolist() == ["2026-01-02 03:04 UTC", "abignet report x", "run"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", rows["evaluated"])
    assert "were not measured" in texts(provenance(standard))


def test_stages_tell_what_they_took(standard: ReportContents, tmp_path: Path) -> None:
    (tmp_path / "tile_slide").mkdir()
    (tmp_path / "tile_slide/s00.tsv").write_text("s\tmax_rss\n90.0\t1234.5\n")
    measured = replace(standard, sources=replace(standard.sources, benchmarks=tmp_path))
    rows = frame(tables(provenance(measured))[1])
    assert rows.to_numpy().tolist() == [["tile_slide", "1", "1.5", "1.5", "1,234"]]


def test_stages_name_their_source_files_and_weights(standard: ReportContents) -> None:
    rows = frame(tables(provenance(made(standard)))[1]).set_index("stage")
    assert rows["source digest"].to_dict() == {
        "cache_features": "fedcba9876543210",
        "segment_nuclei": "0123456789abcdef",
        "tile_slide": "0123456789abcdef",
        "split_cohort": "5p11ts",
        "write_report": "abcd",
    }
    assert rows["files"].tolist() == ["10", "10", "10", "1", "1"]
    assert rows.loc["segment_nuclei", "note"] == f"weights painted, SHA-256 {'ab' * 8}"
    assert rows.loc["tile_slide", "note"] == ""


def test_slides_made_by_another_source_are_a_row_of_their_own(standard: ReportContents) -> None:
    first, *others = standard.cohort
    remade = replace(first, records=tuple(replace(record, source="another") for record in first.records))
    rows = frame(tables(provenance(replace(standard, cohort=(remade, *others))))[1])
    of_cache = rows[rows["stage"] == "cache_features"]
    assert of_cache[["source digest", "files"]].to_numpy().tolist() == [["another", "1"], ["fedcba9876543210", "9"]]


def test_steps_are_those_of_the_run(standard: ReportContents, build: Callable[..., ReportSources]) -> None:
    assert texts(provenance(made(standard))).startswith("10 slides were tiled; nuclei were segmented in kept tiles")
    sources = build(with_pictures=False, folds=(0, 2), lost_folds=(1,), seeds=(4,))
    said = texts(provenance(read_contents(sources, ReportParams())))
    assert said.startswith("Patches and their features were imported.")
    assert "2 folds (0, 2) and 1 seed (4) were run for every method" in said


def test_the_paper_is_cited_with_its_link(standard: ReportContents) -> None:
    assert '<a href="https://arxiv.org/abs/2510.13188" rel="noreferrer">' in texts(provenance(made(standard)))


def test_packages_are_told_for_the_split_and_the_report(build: Callable[..., ReportSources]) -> None:
    sources = build(with_pictures=False)
    write_provenance(sources.training, {"source": "5p11ts", "packages": {"numpy": "0.9", "gone": "1.0"}})
    rows = frame(tables(provenance(read_contents(sources, ReportParams())))[2]).set_index("package")
    assert rows.loc["numpy"].tolist() == ["0.9", numpy.__version__]
    assert rows.loc["gone"].tolist() == ["1.0", "–"]
    assert rows.loc["pandas", "at the split"] == "–"


def test_the_configuration_reads_back(standard: ReportContents) -> None:
    (details,) = (block for block in provenance(made(standard)).blocks if isinstance(block, Details))
    assert yaml.safe_load(details.code) == standard.sources.config
    unknown = replace(standard, sources=replace(standard.sources, config={}))
    assert "The configuration was not handed to the report." in texts(provenance(unknown))
