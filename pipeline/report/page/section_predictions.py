"""Predictions for slides without a label and for new slides."""

import pandas as pd

from pipeline.artefacts.predictions import PROBABILITY_PREFIX, read_predictions
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.wording import NONE, decimal, plural
from pipeline.report.page.page_elements import Block, Section, Table, Text, number_columns, text_columns


def predictions(contents: ReportContents) -> Section:
    """One row per predicted slide, or a sentence why there is none."""
    return Section("predictions", "Predictions", [_block(contents)])


def _block(contents: ReportContents) -> Block:
    path = contents.sources.predictions
    if path is None:
        return Text(f"No predictions: {_why_none(contents)}.")
    frame = read_predictions(path)
    if frame.empty:
        return Text("No predictions: no slide to predict had a patch to predict from.")
    return _table(frame)


def _why_none(contents: ReportContents) -> str:
    n = len(contents.predicted)
    if n == 0:
        return "every slide of the sheet has a label"
    return f"{plural(n, 'slide was', 'slides were')} to be predicted, but this run made no prediction"


def _table(frame: pd.DataFrame) -> Table:
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
        *text_columns("slide", *(["label in the sheet"] if is_known else []), "predicted"),
        *number_columns(*(f"p {name.removeprefix(PROBABILITY_PREFIX)}" for name in probabilities)),
    ]
    caption = (
        f"Slides that no model was trained on, n = {len(rows)}, predicted by one trained on all labelled slides of the "
        "cohort. Nothing here tells how right they are; the test folds above are the only measure."
        + (" A label may be of a class that the model does not know." if is_known else "")
    )
    return Table(columns, rows, caption)
