import io
from collections.abc import Callable
from dataclasses import replace

from PIL import Image

from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.section_nuclei import nuclei
from pipeline.report.params import ReportParams
from tests.report.page_reading import captions, texts


def test_close_ups_follow_the_wheel_and_count_their_nuclei(standard: ReportContents) -> None:
    section = nuclei(standard, ["s05", "s02"])
    assert list(captions(section)) == ["orientation_wheel", "nuclei_s05", "nuclei_s02", "nuclei_s00"]
    # The field of 200 um holds the nine tiles kept, 48 to 192 um, and 12 nuclei in each.
    assert captions(section)["nuclei_s05"] == "s05 (malignant): 108 nuclei in the field, 108 on the slide."
    assert "a field of 200 µm" in texts(section)


def test_a_smaller_field_holds_fewer_nuclei(standard: ReportContents) -> None:
    params = ReportParams(n_overlays=1, closeup_um=20, closeup_px=120)
    section = nuclei(replace(standard, params=params), ["s00"])
    n = int(captions(section)["nuclei_s00"].split(": ")[1].split()[0])
    assert 0 < n < 12
    assert "a field of 20 µm" in texts(section)
    assert Image.open(io.BytesIO(section.figures[1].content)).size == (120, 120)


def test_slides_without_a_nucleus_are_passed_over(standard: ReportContents) -> None:
    first, *others = standard.cohort
    contents = replace(standard, cohort=(replace(first, n_nuclei=0), *others))
    assert "nuclei_s00" not in captions(nuclei(contents, ["s00"]))


def test_slides_that_cannot_be_read_are_named_beside_those_that_can(standard: ReportContents) -> None:
    first, second, *_ = standard.cohort
    gone = replace(first, row=replace(first.row, path=standard.sources.training / "gone.png"))
    section = nuclei(replace(standard, cohort=(gone, second)), [])
    assert "Not drawn, because the slide could not be read: s00 (" in texts(section)
    assert list(captions(section)) == ["orientation_wheel", "nuclei_s01"]


def test_why_there_is_no_picture(standard: ReportContents, build: Callable[..., ReportSources]) -> None:
    assert "switched off (report: n_overlays)" in texts(
        nuclei(replace(standard, params=ReportParams(n_overlays=0)), [])
    )
    features_alone = read_contents(build(with_pictures=False), ReportParams())
    assert "every slide came with its own features" in texts(nuclei(features_alone, []))
    none = tuple(replace(slide, n_nuclei=0) for slide in standard.cohort)
    assert "no slide has a nucleus in a kept tile" in texts(nuclei(replace(standard, cohort=none), []))
