"""Predictions for slides without a label and for new slides."""

from pipeline.artefacts.predictions import PROBABILITY_PREFIX, read_predictions
from pipeline.report.contents.report_data import ReportContents
from pipeline.report.contents.wording import NONE, decimal, plural
from pipeline.report.page.page_elements import Column, Section, Table, Text


def predictions(contents: ReportContents) -> Section:
    """One row per predicted slide, or a sentence why there is none."""
    to_predict = sum(slide.status in ("no label", "new") for slide in contents.cohort)
    path = contents.sources.predictions
    if path is None:
        why = (
            "every slide of the sheet has a label"
            if to_predict == 0
            else f"{plural(to_predict, 'slide was', 'slides were')} to be predicted, but this run made no prediction"
        )
        return Section("predictions", "Predictions", [Text(f"No predictions: {why}.")])
    frame = read_predictions(path)
    if frame.empty:
        return Section(
            "predictions", "Predictions", [Text("No predictions: no slide to predict had a patch to predict from.")]
        )
    probabilities = [name for name in frame.columns if name.startswith(PROBABILITY_PREFIX)]
    is_known = (frame["label"].fillna("") != "").any()
    rows = [
        (
            str(row["slide_id"]),
            *([str(row["label"] or NONE)] if is_known else []),
            str(row["predicted"]),
            *(decimal(float(row[name])) for name in probabilities),
        )
        for row in frame.to_dict("records")
    ]
    columns = [
        Column("slide"),
        *([Column("label in the sheet")] if is_known else []),
        Column("predicted"),
        *(Column(f"p {n.removeprefix(PROBABILITY_PREFIX)}", numeric=True) for n in probabilities),
    ]
    caption = (
        f"Slides that no model was trained on, n = {len(rows)}, predicted by one trained on all labelled slides of the "
        "cohort. Nothing here tells how right they are; the test folds above are the only measure."
        + (" A label may be of a class that the model does not know." if is_known else "")
    )
    return Section("predictions", "Predictions", [Table(columns, rows, caption, searchable=len(rows) > 12)])
