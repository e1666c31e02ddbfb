import numpy as np
import pytest

from pipeline.artefacts.graph_path import GRAPH_PATH, write_graph_path
from pipeline.artefacts.predictions import prediction_frame
from pipeline.training.evaluation.graph_path_metrics import graph_path_metrics

DECISION = {"on": True, "graph_kept": 0.5, "gain": 0.1}


def frame(fold, n):
    slides = [f"{fold}_{place}" for place in range(n)]
    labels = ["ab"[place % 2] for place in range(n)]
    return prediction_frame(slides, slides, labels, ["a", "b"], np.full((n, 2), 0.5))


def write(folder, fold, told, on, right):
    folder.mkdir()
    truth = [[1.0, 0.0] if label == "a" else [0.0, 1.0] for label in told["label"]]
    said = truth if right else [row[::-1] for row in truth]
    without = dict(zip(told["slide_id"], said, strict=True))
    content = {
        "decision": {**DECISION, "on": on},
        "pretraining": None,
        "without_graph": without,
    }
    write_graph_path(folder / GRAPH_PATH, content)


def test_shares_of_folds_and_images_and_metrics_without_the_graph(tmp_path):
    frames = {0: frame(0, 4), 1: frame(1, 12)}
    folders = {fold: tmp_path / str(fold) for fold in frames}
    write(folders[0], 0, frames[0], True, True)
    write(folders[1], 1, frames[1], False, False)
    told = graph_path_metrics(folders, frames)
    assert (told["folds_on"], told["images_on"]) == (0.5, 0.25)
    assert told["without_graph"]["mean"]["accuracy"] == pytest.approx(0.5)
    assert [row["fold"] for row in told["folds"]] == [0, 1]
    assert told["folds"][0]["graph_kept"] == 0.5


def test_methods_without_a_pooled_path_and_folds_that_do_not_tell_have_none(tmp_path):
    frames = {0: frame(0, 4)}
    assert graph_path_metrics({0: tmp_path}, frames) is None
    write_graph_path(tmp_path / GRAPH_PATH, {})
    assert graph_path_metrics({0: tmp_path}, frames) is None
