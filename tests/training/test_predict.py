from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.artefacts.features import read_features, write_features
from pipeline.artefacts.json_files import read_json
from pipeline.artefacts.learned_graphs import LearnedGraphs
from pipeline.artefacts.predictions import read_predictions
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import read_excluded
from pipeline.errors import ArtefactError, CohortError
from pipeline.provenance import file_digest
from pipeline.training.cohort.roles import Split
from pipeline.training.fitting.checkpoint import read_model, write_model
from pipeline.training.fitting.training_job import TrainingJob
from pipeline.training.params import ReadingParams, SplitParams, TrainingParams
from pipeline.training.predict import predict
from pipeline.training.split_cohort import SplitJob, split_cohort
from pipeline.training.train_fold import train_fold

NEW = SlideRow(slide_id="new", case_id="new")


def emptied(store):
    none = {name: getattr(store, name)[:0] for name in ("features", "coords", "tile_id")}
    return replace(store, **none, reason="no tissue")


def job(method, params):
    return TrainingJob(method, Split(0, 0), params, device="cpu", source="s")


@pytest.fixture(scope="module")
def fold(stored, splits, tmp_path_factory):
    root = tmp_path_factory.mktemp("fold")
    train_fold(splits, stored[1], root, job("default", TrainingParams(epochs=1, hidden=8, pretraining_steps=10)))
    return root


def run(fold, features, rows, out):
    predict(fold / "model.pt", features, out, rows=rows, device="cpu", source="s")
    return read_predictions(out)


def test_a_stored_model_repeats_the_folds_predictions(fold, stored, tmp_path):
    expected = read_predictions(fold / "predictions.csv")
    by_id = {row.slide_id: row for row in stored[0]}
    found = run(fold, stored[1], [by_id[slide_id] for slide_id in expected["slide_id"]], tmp_path / "p.csv")
    pd.testing.assert_frame_equal(found, expected)


def test_the_graphs_behind_predictions_are_those_of_the_fold(fold, stored, tmp_path):
    of_fold = LearnedGraphs(fold / "graphs.zarr")
    rows = [row for row in stored[0] if row.slide_id in of_fold.slide_ids]
    run(fold, stored[1], rows, tmp_path / "p.csv")
    found = LearnedGraphs(tmp_path / "p.graphs.zarr")
    assert found.slide_ids == of_fold.slide_ids
    for slide_id in found.slide_ids:
        one, other = found.of(slide_id), of_fold.of(slide_id)
        assert (one.edge_index == other.edge_index).all()
        assert (one.weight == other.weight).all()
        assert (one.kept == other.kept).all()


def test_slides_read_where_they_are_used_are_predicted_as_those_in_memory(fold, stored, tmp_path):
    held, read = (tmp_path / name / "p.csv" for name in ("held", "read"))
    for out, memory_gib in ((held, 1.0), (read, 0.0)):
        reading = ReadingParams(memory_gib=memory_gib)
        predict(fold / "model.pt", stored[1], out, rows=stored[0], device="cpu", source="s", reading=reading)
    assert held.read_bytes() == read.read_bytes()
    assert len({file_digest(path.with_suffix(".provenance.json")) for path in (held, read)}) == 1


def test_large_images_are_predicted_as_in_their_fold_and_nearly_as_small_ones(stored, splits, tmp_path):
    tables = {}
    for limit in (4, 8):
        # All pairs are candidates, and pre-training, which draws patches, is left out.
        params = TrainingParams(epochs=2, hidden=8, dense_limit=limit, similar_candidates=7, pretraining_steps=0)
        train_fold(splits, stored[1], tmp_path / str(limit), job("default", params))
        tables[limit] = read_predictions(tmp_path / f"{limit}/predictions.csv")
    by_id = {row.slide_id: row for row in stored[0]}
    rows = [by_id[slide_id] for slide_id in tables[4]["slide_id"]]
    pd.testing.assert_frame_equal(run(tmp_path / "4", stored[1], rows, tmp_path / "p.csv"), tables[4])
    np.testing.assert_allclose(tables[4]["p_1"], tables[8]["p_1"], atol=1e-4)


def test_a_model_asks_for_the_embeddings_it_was_trained_with(stored, tmp_path):
    rng = np.random.default_rng(0)
    for slide_id, path in stored[1].items():
        store = read_features(path)
        values = rng.normal(size=(len(store.features), 2)).astype(np.float32)
        write_features(tmp_path / f"{slide_id}.zarr", replace(store, embeddings={"uni": values}))
    with_embedding = {slide_id: tmp_path / f"{slide_id}.zarr" for slide_id in stored[1]}
    split_cohort(stored[0], with_embedding, tmp_path, SplitJob(SplitParams(), seeds=(0,), source="s"))
    params = TrainingParams(epochs=1, hidden=8, embeddings=["uni"])
    train_fold(tmp_path / "splits.csv", with_embedding, tmp_path / "fold", job("mean_pool", params))
    expected = read_predictions(tmp_path / "fold/predictions.csv")
    by_id = {row.slide_id: row for row in stored[0]}
    rows = [by_id[slide_id] for slide_id in expected["slide_id"]]
    pd.testing.assert_frame_equal(run(tmp_path / "fold", with_embedding, rows, tmp_path / "p.csv"), expected)
    with pytest.raises(CohortError, match="no embedding 'uni'"):
        run(tmp_path / "fold", stored[1], rows, tmp_path / "q.csv")


def test_unlabelled_slides_keep_an_empty_label_and_empty_ones_go_aside(fold, stored, tmp_path):
    store = read_features(next(iter(stored[1].values())))
    write_features(tmp_path / "new.zarr", replace(store, slide_id="new"))
    bare = replace(emptied(store), slide_id="bare", feature_names=(), features=np.zeros((0, 0)))
    write_features(tmp_path / "bare.zarr", bare)
    found = run(fold, tmp_path, [SlideRow(slide_id="bare", case_id="c"), NEW], tmp_path / "run.csv")
    assert found[["slide_id", "label"]].to_numpy().tolist() == [["new", ""]]
    excluded = read_excluded(tmp_path / "run.excluded.csv")
    assert excluded.to_numpy().tolist() == [["bare", "c", "", "no tissue"]]
    assert (tmp_path / "run.provenance.json").exists()


def test_labels_are_carried_as_given_even_those_the_model_does_not_know(fold, stored, tmp_path):
    store = read_features(next(iter(stored[1].values())))
    labels = {"x": "1", "y": "other", "z": "other"}
    rows = [SlideRow(slide_id=name, case_id="c", label=label) for name, label in labels.items()]
    for name in ("x", "y"):
        write_features(tmp_path / f"{name}.zarr", replace(store, slide_id=name))
    write_features(tmp_path / "z.zarr", replace(emptied(store), slide_id="z"))
    predictions = run(fold, tmp_path, rows, tmp_path / "run.csv")
    assert predictions["label"].tolist() == ["1", "other"]
    assert predictions.columns.tolist()[4:] == ["p_0", "p_1"]
    assert predictions["p_1"].iloc[0] == predictions["p_1"].iloc[1]
    assert read_excluded(tmp_path / "run.excluded.csv").to_numpy().tolist() == [["z", "c", "other", "no tissue"]]


def test_only_empty_slides_give_an_empty_table(fold, stored, tmp_path):
    store = read_features(next(iter(stored[1].values())))
    write_features(tmp_path / "new.zarr", replace(emptied(store), slide_id="new"))
    found = run(fold, tmp_path, [NEW], tmp_path / "run.csv")
    assert found.empty
    assert "p_1" in found.columns


def test_other_features_are_refused(fold, stored, tmp_path):
    store = read_features(next(iter(stored[1].values())))
    renamed = ("other", *store.feature_names[1:])
    write_features(tmp_path / "new.zarr", replace(store, slide_id="new", feature_names=renamed))
    with pytest.raises(CohortError, match=r"feature 0 is 'other' instead of 'rotated_0'"):
        run(fold, tmp_path, [NEW], tmp_path / "run.csv")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tile_px": 56}, "slide new: tile_width_um is 28, not 128"),
        ({"mpp": 1.0, "tile_px": 128}, "slide new: mpp is 1, not 0.5"),
        ({"networks": {"features": "conch"}}, None),
    ],
)
def test_slides_whose_features_were_made_otherwise_are_refused(fold, stored, tmp_path, change, told):
    store = replace(read_features(next(iter(stored[1].values()))), slide_id="new", **change)
    write_features(tmp_path / "new.zarr", store)
    if told is None:  # what the training does not record cannot differ
        assert len(run(fold, tmp_path, [NEW], tmp_path / "run.csv")) == 1
        return
    with pytest.raises(CohortError, match=rf"model.pt[\s\S]*{told}[\s\S]*on_mismatch: warn"):
        run(fold, tmp_path, [NEW], tmp_path / "run.csv")
    assert not (tmp_path / "run.csv").exists()


def test_they_are_predicted_where_that_is_allowed_and_the_provenance_says_so(fold, stored, tmp_path, caplog):
    store = read_features(next(iter(stored[1].values())))
    write_features(tmp_path / "new.zarr", replace(store, slide_id="new", tile_px=56))
    allowed = {"device": "cpu", "source": "s", "on_mismatch": "warn"}
    predict(fold / "model.pt", tmp_path, tmp_path / "run.csv", rows=[NEW], **allowed)
    assert read_json(tmp_path / "run.provenance.json", "a provenance")["mismatches"] == [
        "slide new: tile_width_um is 28, not 128"
    ]
    assert "slide new: tile_width_um is 28, not 128" in caplog.text


def test_slides_made_alike_leave_no_word_of_it_in_the_provenance(fold, stored, tmp_path):
    run(fold, stored[1], stored[0][:1], tmp_path / "run.csv")
    assert "mismatches" not in read_json(tmp_path / "run.provenance.json", "a provenance")


def test_a_model_without_a_record_predicts_with_one_warning(fold, stored, tmp_path, caplog):
    older = replace(read_model(fold / "model.pt", torch.device("cpu")), making=None)
    write_model(tmp_path / "model.pt", older, source="s")
    store = read_features(next(iter(stored[1].values())))
    write_features(tmp_path / "new.zarr", replace(store, slide_id="new", tile_px=56))
    assert len(run(tmp_path, tmp_path, [NEW], tmp_path / "run.csv")) == 1
    assert caplog.text.count("does not record how the features") == 1


def test_features_of_another_slide_under_this_name_are_refused(fold, stored, tmp_path):
    write_features(tmp_path / "new.zarr", read_features(next(iter(stored[1].values()))))
    with pytest.raises(ArtefactError, match=r"expected features of slide new, found those of .planted_00000."):
        run(fold, tmp_path, [NEW], tmp_path / "run.csv")
