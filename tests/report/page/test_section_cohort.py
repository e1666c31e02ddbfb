from collections.abc import Callable
from dataclasses import replace

from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.section_cohort import cohort
from pipeline.report.params import ReportParams
from tests.report.page_reading import captions, frame, tables, texts


def test_slides_are_counted_by_class_and_what_became_of_them(standard: ReportContents) -> None:
    classes, excluded = tables(cohort(standard))
    assert list(frame(classes).columns) == [
        "class", "slides", "in folds", "excluded", "patients in folds", "patches per image (median)"
    ]  # fmt: skip
    assert frame(classes).to_numpy().tolist() == [
        ["benign", "5", "4", "1", "2", "9"],
        ["malignant", "4", "4", "0", "2", "9"],
        ["all classes", "9", "8", "1", "4", "9"],
    ]
    assert classes.marked == {2}
    assert "n = 9." in classes.caption
    assert frame(excluded).to_dict("records") == [{"slide": "x00", "class": "benign", "reason": "no tissue"}]


def test_patches_are_those_of_images_in_the_folds(standard: ReportContents) -> None:
    first, *others = standard.cohort
    contents = replace(standard, cohort=(replace(first, n_patches=2), *others))
    section = cohort(contents)
    assert frame(tables(section)[0]).set_index("class")["patches per image (median)"].tolist() == ["9", "9", "9"]
    caption = captions(section)["patches_per_image"]
    assert "n = 8 images in the folds: a dot is an image;" in caption
    assert f"the {contents.params.few_patches} patches below which this report warns" in caption


def test_a_class_without_graphs_is_not_plotted_and_none_makes_no_plot(standard: ReportContents) -> None:
    def without(*labels: str) -> ReportContents:
        slides = [replace(s, n_patches=None) if s.row.label in labels else s for s in standard.cohort]
        return replace(standard, cohort=tuple(slides))

    section = cohort(without("benign"))
    assert "n = 4 images" in captions(section)["patches_per_image"]
    assert frame(tables(section)[0]).iloc[0, -1] == "–"
    assert captions(cohort(without("benign", "malignant"))) == {}


def test_a_class_that_is_excluded_as_a_whole_stays_in_the_table(build: Callable[..., ReportSources]) -> None:
    contents = read_contents(build(with_pictures=False, lost_class="rare"), ReportParams())
    rows = frame(tables(cohort(contents))[0]).set_index("class")
    assert rows.loc["rare", ["slides", "in folds", "excluded"]].tolist() == ["1", "0", "1"]
    assert rows.loc["all classes", ["slides", "in folds", "excluded"]].tolist() == ["10", "8", "2"]


def test_without_excluded_slides_or_patients_it_says_so(build: Callable[..., ReportSources]) -> None:
    contents = read_contents(build(with_pictures=False, with_patients=False, n_excluded=0), ReportParams())
    section = cohort(contents)
    assert texts(section) == "No labelled slide was excluded."
    assert "whose patient is not named count as patients of their own" in tables(section)[0].caption
