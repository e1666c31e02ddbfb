from dataclasses import replace

from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.page.section_calls import calls
from tests.report.page_reading import frame, tables


def test_every_test_slide_stands_once_wrong_ones_first(standard: ReportContents) -> None:
    (table,) = tables(calls(standard))
    rows = frame(table)
    assert sorted(rows["slide"]) == [slide.row.slide_id for slide in standard.tested]
    wrong = (rows["class"] != rows["called"]).tolist()
    assert wrong == sorted(wrong, reverse=True)
    assert table.marked == frozenset(range(sum(wrong)))
    assert (table.toggle is not None) == any(wrong)


def test_numbers_of_a_row(standard: ReportContents) -> None:
    rows = frame(tables(calls(standard))[0]).set_index("slide")
    image = standard.images[0]
    row = rows.loc[image.slide_id]
    assert row["probability"] == f"{image.probability:.3f}"
    assert row["seeds wrong"] == f"{image.seeds_wrong} of 1"
    assert row["methods wrong"].endswith("of 2")
    assert (row["tiles"], row["nuclei"], row["patient"]) == ("9", "108", "p0benign")


def test_slides_lead_to_their_panels_where_there_are_any(standard: ReportContents) -> None:
    without = tables(calls(standard))[0]
    assert not any("<a" in row[0] for row in without.rows)
    sources = replace(standard.sources, has_panels=True)
    linked = tables(calls(replace(standard, sources=sources)))[0]
    slide = without.rows[0][0]
    assert linked.rows[0][0].startswith(f'<a href="panels/{slide}.html"')
    assert "leads to its panel" in linked.caption
    assert "panels/ beside this page" in linked.caption


def test_a_cohort_called_right_says_so(standard: ReportContents) -> None:
    predictions = {
        method: table.assign(predicted=table["label"], p_benign=(table["label"] == "benign") * 0.8 + 0.1).assign(
            p_malignant=(table["label"] == "malignant") * 0.8 + 0.1
        )
        for method, table in standard.results.predictions.items()
    }
    section = calls(replace(standard, results=replace(standard.results, predictions=predictions)))
    assert section.blocks[0].text == "default calls no test slide wrong."  # type: ignore[union-attr]
    assert tables(section)[0].toggle is None
