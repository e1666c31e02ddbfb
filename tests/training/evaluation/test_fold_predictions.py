import numpy as np
import pytest

from pipeline.artefacts.json_files import write_provenance
from pipeline.artefacts.predictions import prediction_frame, write_predictions
from pipeline.errors import ArtefactError, CohortError
from pipeline.training.evaluation.fold_predictions import MethodRun, confusion_of, read_folds, scored

RUN = MethodRun("default", 0, (0, 1))


def frame(labels, predicted, classes=("a", "b", "c")):
    probabilities = np.where(np.array(classes) == np.array(predicted)[:, None], 0.6, 0.2)
    ids = [f"s{i}" for i in range(len(labels))]
    return prediction_frame(ids, ids, labels, classes, probabilities)


def written(folder, frames):
    paths = {fold: folder / f"fold_{fold}" / "predictions.csv" for fold in frames}
    for fold, table in frames.items():
        write_predictions(paths[fold], table)
    return paths


EMPTY = frame(["a"], ["a"]).iloc[:0]


def test_labels_take_the_place_of_their_column():
    probabilities, labels = scored(frame(["c", "a", "b"], ["b", "a", "b"]))
    assert labels.tolist() == [2, 0, 1]
    assert probabilities.argmax(axis=1).tolist() == [1, 0, 1]


def test_confusion_is_summed_over_folds_true_classes_down():
    classes, counts = confusion_of([frame(["a", "a"], ["a", "b"]), frame(["c", "a"], ["a", "b"])])
    assert classes == ["a", "b", "c"]
    assert counts.tolist() == [[1, 2, 0], [0, 0, 0], [1, 0, 0]]


def test_a_fold_without_test_image_is_left_out_with_its_reason(tmp_path):
    paths = written(tmp_path, {0: EMPTY, 1: frame(["a"], ["b"]), 2: EMPTY})
    write_provenance(paths[0].parent, {"reason": "no slide of it has a patch"})
    frames, left_out = read_folds(paths, RUN)
    assert list(frames) == [1]
    assert left_out == {0: "no slide of it has a patch", 2: "no test image"}


def test_nothing_to_evaluate_is_an_error(tmp_path):
    with pytest.raises(CohortError, match="default, seed 0: no fold has a test image: no test image"):
        read_folds(written(tmp_path, {0: EMPTY}), RUN)


def test_missing_tables_and_unknown_labels_are_errors(tmp_path):
    with pytest.raises(ArtefactError, match="fold_0"):
        read_folds({0: tmp_path / "fold_0" / "predictions.csv"}, RUN)
    for label in ("", "d"):
        paths = written(tmp_path, {0: frame(["a", label], ["a", "a"])})
        with pytest.raises(CohortError, match=f"slide 's1' has label '{label}'; expected one of a, b, c"):
            read_folds(paths, RUN)


@pytest.mark.parametrize("classes", [("c", "b", "a"), ("b", "a", "c"), ("a", "b", "d")])
def test_folds_of_other_classes_are_not_pooled(tmp_path, classes):
    other = frame(["a"], ["a"], classes).assign(slide_id="other")
    paths = written(tmp_path, {0: frame(["a"], ["a"]), 1: other})
    with pytest.raises(
        CohortError, match=rf"fold_1.*expected the classes of .*fold_0.* \(a, b, c\), found {classes[0]}"
    ):
        read_folds(paths, RUN)


def test_a_fold_that_stands_in_the_place_of_another_is_told(tmp_path):
    paths = written(tmp_path, {0: frame(["a", "b"], ["a", "a"]), 1: frame(["a"], ["a"])})
    with pytest.raises(CohortError, match=r"fold_1.*slide 's0' was tested in .*fold_0.*as well"):
        read_folds(paths, RUN)
