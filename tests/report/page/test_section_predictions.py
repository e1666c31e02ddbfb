from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.artefacts.predictions import read_predictions, write_predictions
from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.section_predictions import predictions
from pipeline.report.params import ReportParams
from tests.report.page_reading import frame, tables, texts

PLAIN = ReportParams(n_overlays=0)


def test_predictions_are_those_of_the_file(standard: ReportContents) -> None:
    (table,) = tables(predictions(standard))
    assert standard.sources.predictions is not None
    file = read_predictions(standard.sources.predictions)
    shown = frame(table)
    assert list(shown.columns) == ["slide", "predicted", "p benign", "p malignant"]
    assert shown["slide"].tolist() == ["u00"]
    assert shown["predicted"].tolist() == file["predicted"].tolist()
    for name in ("benign", "malignant"):
        assert shown[f"p {name}"].tolist() == [f"{value:.3f}" for value in file[f"p_{name}"]]
    assert "n = 1," in table.caption
    assert "does not know" not in table.caption


@pytest.mark.parametrize("label", ["benign", "unheard of"])
def test_the_label_of_a_new_slide_stands_beside_its_prediction(build: Callable[..., ReportSources], label: str) -> None:
    (table,) = tables(predictions(read_contents(build(with_pictures=False, new_label=label), PLAIN)))
    labels = frame(table).set_index("slide")["label in the sheet"]
    assert labels.to_dict() == {"u00": "–", "n00": label}
    assert set(frame(table)["predicted"]) <= {"benign", "malignant"}
    assert "A label may be of a class that the model does not know." in table.caption


def test_why_there_is_no_prediction(standard: ReportContents, build: Callable[..., ReportSources]) -> None:
    all_labelled = read_contents(build(with_pictures=False, n_unlabelled=0), PLAIN)
    assert texts(predictions(all_labelled)) == "No predictions: every slide of the sheet has a label."
    unasked = replace(standard, sources=replace(standard.sources, predictions=None))
    assert "1 slide was to be predicted, but this run made no prediction" in texts(predictions(unasked))


def test_a_table_without_a_row_is_said_to_be_empty(build: Callable[..., ReportSources]) -> None:
    sources = build(with_pictures=False)
    assert sources.predictions is not None
    write_predictions(sources.predictions, read_predictions(sources.predictions).iloc[:0])
    assert "no slide to predict had a patch" in texts(predictions(read_contents(sources, PLAIN)))
