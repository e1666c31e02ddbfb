from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.artefacts.features import read_features
from pipeline.artefacts.graph_path import read_graph_path
from pipeline.artefacts.json_files import read_json
from pipeline.artefacts.learned_graphs import read_learned_graph
from pipeline.artefacts.predictions import read_history, read_predictions
from pipeline.artefacts.splits import read_splits
from pipeline.errors import ArtefactError, CohortError, ConfigError, DeviceError
from pipeline.provenance import file_digest
from pipeline.training.cohort.roles import Split
from pipeline.training.fitting.checkpoint import read_model
from pipeline.training.fitting.training_job import TrainingJob
from pipeline.training.methods.presets import METHODS
from pipeline.training.params import TrainingParams
from pipeline.training.train_fold import NO_TEST_IMAGE, train_fold

FILES = ["graph_path.json", "graphs.zarr", "history.csv", "model.pt", "predictions.csv", "provenance.json"]
QUICK = TrainingParams(epochs=2, hidden=8, heads=2, pretraining_steps=10)


def run(splits, stored, out, method="default", *, fold=1, params=QUICK, device="cpu"):
    train_fold(splits, stored[1], out, TrainingJob(method, Split(0, fold), params, device, source="s"))
    return out


def test_a_fold_holds_its_files_and_predicts_its_test_images(splits, stored, tmp_path):
    out = run(splits, stored, tmp_path / "fold_1")
    assert sorted(path.name for path in out.iterdir()) == FILES
    rows = read_splits(splits)
    test = rows[(rows["fold"] == 1) & (rows["role"] == "test")]
    predictions = read_predictions(out / "predictions.csv")
    assert predictions["slide_id"].tolist() == test["slide_id"].tolist()
    assert predictions["label"].tolist() == test["label"].tolist()
    assert list(predictions.columns) == ["slide_id", "case_id", "label", "predicted", "p_0", "p_1"]
    history = read_history(out / "history.csv")
    assert set(zip(history["model"], history["stage"], strict=True)) >= {(0, "search"), (0, "refit")}
    assert (history.groupby(["model", "stage"])["selected"].sum() == 1).all()
    assert (history.groupby(["model", "stage"]).size() == 2).all()
    assert read_graph_path(out / "graph_path.json")["without_graph"].keys() == set(test["slide_id"])
    record = read_json(out / "provenance.json", "provenance")
    assert record["params"]["method"]["settings"]["hidden"] == 8
    assert set(record["upstream"]) == {"splits", "features"}


def same_files(one, other):
    return all(file_digest(one / name) == file_digest(other / name) for name in FILES)


@pytest.mark.parametrize("reading_threads", [0, 2])
@pytest.mark.parametrize("method", METHODS)
def test_images_read_at_every_use_train_and_predict_as_those_in_memory(
    method, reading_threads, splits, stored, tmp_path
):
    """Each file of a fold has the same bytes, small images and large ones, whatever is held."""
    large = (
        replace(QUICK, dense_limit=4, batch_size=3, patches_per_epoch=6) if METHODS[method].has_sparse_mode else QUICK
    )
    for params in (QUICK, large) if reading_threads else (large,):
        held = run(splits, stored, tmp_path / "held", method, params=params)
        # Images of 8 patches and 10 features: with this memory four of them are held.
        few = replace(params, memory_gib=4 * 2 * 8 * 10 * 4 / 2**30, reading_threads=reading_threads)
        assert same_files(held, run(splits, stored, tmp_path / "read", method, params=few))


def test_gradients_through_the_classifier_are_those_of_images_in_memory(splits, stored, tmp_path):
    for method in ("default", "paper_a"):
        params = replace(QUICK, upper_gradient="unrolled")
        held = run(splits, stored, tmp_path / "held", method, params=params)
        assert same_files(held, run(splits, stored, tmp_path / "read", method, params=replace(params, memory_gib=0)))


@pytest.mark.parametrize(("method", "n_edges"), [("default", 8 * 7), ("paper_b", 8 * 7), ("mean_pool", 0)])
def test_graphs_hold_all_pairs_or_none(method, n_edges, splits, stored, tmp_path):
    out = run(splits, stored, tmp_path / "fold", method)
    for row in read_predictions(out / "predictions.csv").itertuples():
        graph = read_learned_graph(out / "graphs.zarr", row.slide_id)
        assert graph.edge_index.shape == (2, n_edges)
        assert len(read_features(stored[1][row.slide_id]).features) == 8
        source, target = graph.edge_index
        assert (source != target).all()
        weight = np.zeros((8, 8), np.float32)
        weight[source, target] = graph.weight
        np.testing.assert_array_equal(weight, weight.T)
        assert weight.min() >= 0
        assert weight.max() <= 1


def test_fixed_graphs_hold_their_edges_only(splits, stored, tmp_path):
    out = run(splits, stored, tmp_path / "fold", "spatial_graph", params=TrainingParams(epochs=1, target_degree=2))
    slide_id = read_predictions(out / "predictions.csv")["slide_id"].iloc[0]
    graph = read_learned_graph(out / "graphs.zarr", slide_id)
    assert 8 * 2 <= graph.edge_index.shape[1] < 8 * 7
    assert graph.kept.all()
    assert set(graph.weight.tolist()) == {1.0}


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bytes(method, splits, stored, tmp_path):
    first, second = (run(splits, stored, tmp_path / name, method) for name in "ab")
    assert file_digest(first) == file_digest(second)


@pytest.mark.parametrize("method", ["default", "joint", "cosine_graph", "spatial_graph"])
def test_large_images_give_the_same_bytes_twice_and_keep_candidate_edges_only(method, splits, stored, tmp_path):
    params = replace(QUICK, dense_limit=6, similar_candidates=2, spatial_candidates=1, target_degree=2)
    first, second = (run(splits, stored, tmp_path / name, method, params=params) for name in "ab")
    assert file_digest(first) == file_digest(second)
    for row in read_predictions(first / "predictions.csv").itertuples():
        graph = read_learned_graph(first / "graphs.zarr", row.slide_id)
        source, target = graph.edge_index
        edges = set(zip(source.tolist(), target.tolist(), strict=True))
        assert 8 * 2 <= len(edges) == len(source) < 8 * 7
        assert edges == {(b, a) for a, b in edges}
        assert set(source.tolist()) == set(range(8))


def test_images_too_large_for_all_pairs_stop_methods_without_another_way(splits, stored, tmp_path):
    params = replace(QUICK, dense_limit=6)
    with pytest.raises(CohortError, match=r"slide \w+: paper_a .* at most 6 .*; found 8"):
        run(splits, stored, tmp_path, "paper_a", params=params)
    with pytest.raises(CohortError, match="spatial_graph holds a number for every pair"):
        run(splits, stored, tmp_path, "spatial_graph", params=replace(params, target_degree=0))
    assert not list(tmp_path.iterdir())


def test_a_patient_in_two_roles_stops_training(splits, stored, tmp_path):
    rows = pd.read_csv(splits, dtype=str)
    rows["case_id"] = "one"
    rows.to_csv(tmp_path / "splits.csv", index=False)
    with pytest.raises(CohortError, match=r"leak: .*patient 'one'"):
        run(tmp_path / "splits.csv", stored, tmp_path / "fold")


def test_wrong_requests_name_what_there_is(splits, stored, tmp_path):
    with pytest.raises(CohortError, match="0/0, 0/1, 0/2"):
        run(splits, stored, tmp_path, fold=7)
    with pytest.raises(ConfigError, match="expected one of default"):
        run(splits, stored, tmp_path, "magic")
    with pytest.raises(DeviceError, match="expected auto, cpu or cuda"):
        run(splits, stored, tmp_path, device="tpu")
    with pytest.raises(ArtefactError, match="cannot be read"):
        run(tmp_path / "none.csv", stored, tmp_path)


def test_a_fold_that_lost_its_slides_is_not_trained_and_says_so(splits, stored, tmp_path, caplog, monkeypatch):
    rows = pd.read_csv(splits, dtype=str)
    lost = rows["fold"] == "1"
    rows.loc[lost, "role"] = rows.loc[lost, "role"].replace("test", "train")
    rows.to_csv(tmp_path / "splits.csv", index=False)
    monkeypatch.setattr("pipeline.training.fitting.training_job.fit_model", None)
    out = run(tmp_path / "splits.csv", ({}, {}), tmp_path / "fold_1", "joint")
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert f"joint, seed 0, fold 1 is not trained: {NO_TEST_IMAGE}" in caplog.text
    assert read_predictions(out / "predictions.csv").columns.tolist()[4:] == ["p_0", "p_1"]
    assert read_predictions(out / "predictions.csv").empty
    assert read_history(out / "history.csv").empty
    made_by = read_json(out / "provenance.json", "provenance")
    assert made_by["reason"] == NO_TEST_IMAGE
    assert (made_by["params"]["fold"], made_by["params"]["method"]["name"]) == (1, "joint")
    with pytest.raises(ArtefactError, match="holds no model: every labelled slide of this fold"):
        read_model(out / "model.pt", torch.device("cpu"))
    with pytest.raises(ArtefactError):
        read_learned_graph(out / "graphs.zarr", "any")
    first = file_digest(out)
    run(tmp_path / "splits.csv", ({}, {}), out, "joint")
    assert file_digest(out) == first
