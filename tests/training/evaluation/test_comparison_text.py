import numpy as np
import pandas as pd

from pipeline.artefacts.metrics import COMPARISON_COLUMNS
from pipeline.artefacts.predictions import prediction_frame
from pipeline.training.evaluation.comparison_text import confusion_text, table_text


def test_a_table_says_what_was_measured_and_a_dash_where_nothing_was():
    row = dict.fromkeys(COMPARISON_COLUMNS, np.nan) | {"method": "joint", "reference": "default", "n_runs": 4}
    row |= {
        "status": "trained",
        "n_images": 20,
        "accuracy_mean": 0.75,
        "accuracy_sd": 0.0512,
        "accuracy_ci_low": 0.7,
        "accuracy_ci_high": 1,
    }
    row |= {"auroc_mean": 0.5, "accuracy_difference": -0.125, "p_holm": 0.01234}
    header, line, note = table_text(pd.DataFrame([row])).splitlines()
    assert header.split()[:5] == ["method", "runs", "images", "accuracy", "balanced_accuracy"]
    assert line.split()[:3] == ["joint", "4", "20"]
    assert "0.750 +- 0.051 [0.700, 1.000]" in line
    assert line.split()[-3:] == ["-0.125", "0.0123", "-"]
    assert "0.500 " in line
    assert "0.500 +-" not in line
    assert "from default" in note


def test_a_method_that_is_not_applicable_says_why():
    row = dict.fromkeys(COMPARISON_COLUMNS, np.nan) | {"method": "gtp", "reference": "default", "n_runs": 0}
    row |= {"n_images": 0, "status": "not applicable: slide x: ..."}
    lines = table_text(pd.DataFrame([row])).splitlines()
    assert lines[1].split() == ["gtp", "0", "0", *["-"] * 9]
    assert lines[-1] == "gtp: not applicable: slide x: ..."


def test_confusion_is_printed_true_by_predicted():
    frame = prediction_frame(["x", "y"], ["x", "y"], ["a", "a"], ("a", "b"), np.array([[0.9, 0.1], [0.2, 0.8]]))
    lines = confusion_text({"joint": {0: {0: frame}, 1: {0: frame}}}).splitlines()
    assert lines[0] == "joint: true by predicted"
    assert [line.split() for line in lines[1:]] == [["a", "b"], ["a", "2", "2"], ["b", "0", "0"]]
