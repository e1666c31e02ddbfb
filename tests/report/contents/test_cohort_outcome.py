from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.tables import write_table
from pipeline.artefacts.tiles import COLUMNS, read_tiles
from pipeline.errors import ArtefactError
from pipeline.report.contents.cohort_outcome import SlideSummary, class_names, in_folds, labelled, patients, read_cohort
from pipeline.report.contents.report_sources import ReportSources


def test_every_slide_has_its_numbers_and_its_status(standard_run: ReportSources) -> None:
    cohort = {slide.row.slide_id: slide for slide in read_cohort(standard_run)}
    first = cohort["s00"]
    assert (first.n_tiles, first.n_kept, first.n_nuclei, first.n_patches) == (25, 9, 108, 9)
    assert (first.width_mm, first.height_mm, first.slide_mpp) == (0.24, 0.24, 0.5)
    assert [record.stage for record in first.records] == ["tile_slide", "segment_nuclei", "cache_features"]
    assert (cohort["x00"].status, cohort["x00"].reason) == ("excluded", "no tissue")
    assert (cohort["u00"].status, cohort["u00"].reason) == ("no label", "")


def test_cautions_come_from_the_table_of_tiles_or_are_none(standard_run: ReportSources, tmp_path: Path) -> None:
    table = read_tiles(standard_run.tiles["s00"])
    odd, old = tmp_path / "odd.parquet", tmp_path / "old.parquet"
    without = {key: value for key, value in table.header.items() if key != "cautions"}
    write_table(odd, table.frame, COLUMNS, {**without, "cautions": ["grey", "large"]})
    write_table(old, table.frame, COLUMNS, without)
    sources = replace(standard_run, tiles={**standard_run.tiles, "s00": odd, "s01": old})
    cohort = {slide.row.slide_id: slide.cautions for slide in read_cohort(sources)}
    assert (cohort["s00"], cohort["s01"], cohort["s02"]) == (("grey", "large"), (), ())


def test_a_labelled_slide_that_nobody_accounts_for_says_so(standard_run: ReportSources) -> None:
    stray = SlideRow("stray", label="benign", case_id="p")
    cohort = read_cohort(replace(standard_run, slides=[stray]))
    assert (cohort[0].status, cohort[0].reason) == ("excluded", "in neither splits.csv nor excluded.csv")
    assert cohort[0].n_patches is None


def test_a_labelled_slide_of_the_sheet_of_new_slides_is_not_excluded(standard_run: ReportSources) -> None:
    sources = replace(
        standard_run,
        slides=[SlideRow("s00", label="benign", case_id="p"), SlideRow("n0", label="unheard of", case_id="q")],
        new_slides=frozenset({"n0"}),
    )
    old, new = read_cohort(sources)
    assert (old.status, new.status) == ("in the folds", "new")
    assert labelled((old, new)) == (old,)
    assert in_folds((old, new)) == (old,)


def test_classes_are_those_of_the_slides_asked_for(standard_run: ReportSources) -> None:
    rows = [SlideRow("a", label="b"), SlideRow("b", label="a"), SlideRow("c")]
    assert class_names([SlideSummary(row, "in the folds") for row in rows]) == ("a", "b")


def test_patients_without_name_count_each() -> None:
    rows = [SlideRow("a", case_id="p"), SlideRow("b", case_id="p"), SlideRow("c", case_id="c"), SlideRow("d")]
    assert patients([SlideSummary(row, "in the folds") for row in rows]) == 3


def test_missing_excluded_list_is_named(build: Callable[..., ReportSources]) -> None:
    sources = build(with_pictures=False, methods=("default",))
    sources.excluded.unlink()
    with pytest.raises(ArtefactError, match=r"excluded\.csv"):
        read_cohort(sources)
