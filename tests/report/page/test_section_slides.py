import io
from collections.abc import Callable
from dataclasses import replace

from PIL import Image

from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.section_slides import slides
from pipeline.report.params import ReportParams
from tests.report.page_reading import captions, frame, tables, texts


def test_every_slide_is_a_row_in_the_order_of_the_sheet(standard: ReportContents) -> None:
    rows = frame(tables(slides(standard, []))[0]).set_index("slide")
    assert list(rows.index) == [row.slide_id for row in standard.sources.slides]
    assert rows.loc["s00"].to_dict() == {
        "class": "benign", "patient": "p0benign", "width mm": "0.24", "height mm": "0.24", "µm/px": "0.5000",
        "tiles kept": "9", "tiles": "25", "nuclei": "108", "patches in graph": "9", "status": "in the folds",
    }  # fmt: skip
    assert rows.loc["x00", "status"] == "excluded: no tissue"
    assert rows.loc["u00", ["class", "status"]].tolist() == ["–", "no label"]


def test_width_and_height_stand_in_their_own_columns(standard: ReportContents) -> None:
    wide = replace(standard, cohort=(replace(standard.cohort[0], width_mm=2.0, height_mm=1.0),))
    assert frame(tables(slides(wide, []))[0])[["width mm", "height mm"]].to_numpy().tolist() == [["2.00", "1.00"]]


def test_slides_with_their_own_features_have_dashes_for_what_was_not_measured(
    build: Callable[..., ReportSources],
) -> None:
    contents = read_contents(build(with_pictures=False, with_patients=False), ReportParams())
    section = slides(contents, [])
    row = frame(tables(section)[0]).set_index("slide").loc["s00"]
    assert row[["patient", "width mm", "µm/px", "tiles", "nuclei"]].tolist() == ["–"] * 5
    assert row["patches in graph"] == "9"
    assert "No overview pictures: no slide with kept tiles has an overview." in texts(section)


def test_a_new_slide_with_a_label_is_told_from_an_excluded_one(build: Callable[..., ReportSources]) -> None:
    contents = read_contents(build(with_pictures=False, new_label="unheard of"), ReportParams())
    rows = frame(tables(slides(contents, []))[0]).set_index("slide")
    assert rows.loc["n00", ["class", "status"]].tolist() == ["unheard of", "new slide, whose label nobody trained on"]


def test_overviews_are_of_the_slides_asked_for_and_then_of_others(standard: ReportContents) -> None:
    section = slides(standard, ["s05"])
    assert list(captions(section)) == ["overview_s05", "overview_s00", "overview_s04"]
    assert captions(section)["overview_s05"] == "s05 (malignant): 9 of 25 tiles kept."
    assert "Overviews of 3 slides" in texts(section)


def test_a_slide_without_overview_gives_its_place_to_the_next(standard: ReportContents) -> None:
    kept = {slide: path for slide, path in standard.sources.overviews.items() if slide != "s05"}
    kept["s00"] = standard.sources.training / "gone.png"
    contents = replace(standard, sources=replace(standard.sources, overviews=kept))
    assert list(captions(slides(contents, ["s05", "s00", "s06"]))) == ["overview_s06", "overview_s01", "overview_s04"]


def test_overviews_are_as_large_as_asked_for_or_switched_off(standard: ReportContents) -> None:
    small = replace(standard, params=ReportParams(n_overlays=1, overview_px=100))
    (figure,) = slides(small, ["s00"]).figures
    assert Image.open(io.BytesIO(figure.content)).size == (100, 100)
    off = slides(replace(standard, params=ReportParams(n_overlays=0)), ["s00"])
    assert off.figures == ()
    assert "they" not in texts(off)
    assert "switched off (report: n_overlays)" in texts(off)
