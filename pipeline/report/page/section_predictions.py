"""Predictions for slides without a label."""

from pipeline.artefacts.predictions import PROBABILITY_PREFIX, read_predictions
from pipeline.report.contents.report_data import Findings
from pipeline.report.contents.wording import decimal, plural
from pipeline.report.page.page_elements import Column, Section, Table, Text


def predictions(findings: Findings) -> Section:
    """One row per predicted slide, or a sentence why there is none."""
    unlabelled = sum(slide.row.label is None for slide in findings.cohort)
    path = findings.sources.predictions
    if path is None:
        why = (
            "every slide of the sheet has a label"
            if unlabelled == 0
            else f"{plural(unlabelled, 'slide has', 'slides have')} no label, but this run made no prediction"
        )
        return Section("predictions", "Predictions", [Text(f"No predictions: {why}.")])
    frame = read_predictions(path)
    if frame.empty:
        return Section(
            "predictions", "Predictions", [Text("No predictions: no slide without label had a patch to predict from.")]
        )
    probabilities = [name for name in frame.columns if name.startswith(PROBABILITY_PREFIX)]
    rows = [
        (str(row["slide_id"]), str(row["predicted"]), *(decimal(float(row[name])) for name in probabilities))
        for row in frame.to_dict("records")
    ]
    columns = [
        Column("slide"),
        Column("predicted"),
        *(Column(f"p {n.removeprefix(PROBABILITY_PREFIX)}", numeric=True) for n in probabilities),
    ]
    caption = (
        f"Slides without label, n = {len(rows)}, predicted by a model trained on all labelled slides. Nothing here "
        "tells how right they are; the test folds above are the only measure."
    )
    return Section("predictions", "Predictions", [Table(columns, rows, caption, searchable=len(rows) > 12)])
