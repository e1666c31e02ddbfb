import numpy as np
import pytest

from pipeline.artefacts.metrics import read_metrics, write_metrics
from pipeline.artefacts.predictions import class_names, prediction_frame, read_predictions, write_predictions
from pipeline.errors import ArtefactError


def predictions():
    probabilities = np.array([[0.2, 0.7, 0.1], [0.4, 0.4, 0.2]])
    return prediction_frame(["s1", "02"], ["p", "p"], ["low", None], ("high", "low", "none"), probabilities)


def test_the_most_probable_class_is_predicted_and_the_first_of_equals():
    assert predictions()["predicted"].tolist() == ["low", "high"]


def test_predictions_come_back_as_written(tmp_path):
    write_predictions(tmp_path / "p.csv", predictions())
    found = read_predictions(tmp_path / "p.csv")
    assert class_names(found) == ("high", "low", "none")
    assert found["label"].tolist() == ["low", ""]
    assert found["slide_id"].tolist() == ["s1", "02"]
    assert found["p_low"].tolist() == [0.7, 0.4]


def test_probabilities_must_be_there_and_sum_to_one(tmp_path):
    frame = predictions()
    frame["p_low"] = [0.9, 0.4]
    write_predictions(tmp_path / "p.csv", frame)
    with pytest.raises(ArtefactError, match="'s1' do not sum to 1"):
        read_predictions(tmp_path / "p.csv")
    write_predictions(tmp_path / "p.csv", frame[["slide_id", "case_id", "label", "predicted"]])
    with pytest.raises(ArtefactError, match="found none"):
        read_predictions(tmp_path / "p.csv")


def test_metrics_must_hold_their_keys(tmp_path):
    with pytest.raises(ArtefactError, match="missing ci95"):
        write_metrics(tmp_path / "m.json", dict.fromkeys(["method", "seed", "folds", "mean", "sd"]))
    (tmp_path / "m.json").write_text("{}")
    with pytest.raises(ArtefactError, match="missing method"):
        read_metrics(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("column", "values", "fault"),
    [
        ("slide_id", ["s1", "s1"], "slide 's1' stands twice"),
        ("predicted", ["high", "high"], "slide 's1' is predicted as another class"),
        ("predicted", ["low", "unknown"], "slide '02' is predicted as another class"),
        ("p_low", [0.7, float("nan")], "probabilities of slide '02' are not between 0 and 1"),
        ("p_low", [1.7, 0.4], "probabilities of slide 's1' are not between 0 and 1"),
    ],
)
def test_rows_that_contradict_themselves_are_told_by_slide(tmp_path, column, values, fault):
    write_predictions(tmp_path / "p.csv", predictions().assign(**{column: values}))
    with pytest.raises(ArtefactError, match=fault):
        read_predictions(tmp_path / "p.csv")


def test_of_equal_classes_any_may_be_predicted(tmp_path):
    write_predictions(tmp_path / "p.csv", predictions().assign(predicted=["low", "low"]))
    assert read_predictions(tmp_path / "p.csv")["predicted"].tolist() == ["low", "low"]
