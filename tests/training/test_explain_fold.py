from dataclasses import replace

import numpy as np
import pytest

from pipeline.artefacts.evidence import EvidenceStore
from pipeline.artefacts.faithfulness import read_faithfulness
from pipeline.artefacts.features import read_features, write_features
from pipeline.artefacts.learned_graphs import LearnedGraphs
from pipeline.artefacts.predictions import read_predictions
from pipeline.errors import CohortError
from pipeline.provenance import file_digest
from pipeline.training.explain_fold import explain_fold, spread
from pipeline.training.fitting.checkpoint import write_no_model
from pipeline.training.interpretation.explain_params import ExplainParams
from tests.training.test_train_fold import QUICK, run

CHEAP = ExplainParams(path_steps=2, curve_images=3)


@pytest.fixture(scope="module")
def fold(splits, stored, tmp_path_factory):
    return run(splits, stored, tmp_path_factory.mktemp("trained") / "fold_1", params=QUICK)


def explain(fold, features):
    explain_fold(fold, features, CHEAP, device="cpu", source="s")
    return EvidenceStore(fold / "evidence.zarr")


def test_every_test_image_has_evidence_that_fits_its_prediction_and_graph(fold, stored):
    store = explain(fold, stored[1])
    predictions = read_predictions(fold / "predictions.csv").set_index("slide_id")
    assert store.slide_ids == sorted(predictions.index)
    assert (store.header.classes, store.header.method, store.header.reason) == (("0", "1"), "default", None)
    graphs = LearnedGraphs(fold / "graphs.zarr")
    for slide_id in store.slide_ids:
        evidence = store.of(slide_id)
        row = predictions.loc[slide_id]
        assert evidence.facts.predicted == str(row["predicted"])
        p = row[f"p_{row['predicted']}"]
        assert evidence.facts.log_odds == pytest.approx(np.log(p / (1 - p)), abs=1e-4)
        assert evidence.edge.shape == graphs.of(slide_id).weight.shape
        np.testing.assert_allclose(evidence.node[:, 0], -evidence.node[:, 1], atol=1e-5)
    assert set(store.provenance["upstream"]) == {"fold_model", "fold_graphs", "features"}


def test_the_same_model_gives_the_same_bytes(fold, stored):
    explain(fold, stored[1])
    first = file_digest(fold / "evidence.zarr")
    explain(fold, stored[1])
    assert file_digest(fold / "evidence.zarr") == first


def test_curves_of_some_images_begin_and_end_at_what_all_parts_and_none_say(fold, stored):
    store = explain(fold, stored[1])
    found = read_faithfulness(fold / "faithfulness.json")
    assert len(found.patches) == 3
    for slide_id, curves in found.patches.items():
        log_odds = store.of(slide_id).facts.log_odds
        for order in ("evidence", "weight", "random"):
            assert curves["deletion"][order][0] == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1e-5)
            assert curves["insertion"][order][-1] == pytest.approx(curves["deletion"][order][0], abs=1e-6)
            assert curves["insertion"][order][0] == pytest.approx(curves["deletion"][order][-1], abs=1e-6)
    for slide_id, curves in found.edges.items():
        facts = store.of(slide_id).facts
        assert curves["deletion"]["evidence"][-1] == pytest.approx(1 / (1 + np.exp(-facts.without_edges)), abs=1e-5)


def test_images_are_chosen_over_the_whole_fold():
    assert spread("abcdefg", 3) == ["a", "d", "g"]
    assert spread("ab", 5) == ["a", "b"]
    assert spread("ab", 0) == []


def test_a_fold_that_was_not_trained_has_none_and_says_why(fold, stored, tmp_path):
    empty = tmp_path / "fold_2"
    (empty).mkdir()
    write_no_model(empty / "model.pt", reason="no slide", source="s")
    (empty / "graphs.zarr").symlink_to(fold / "graphs.zarr")
    store = explain(empty, stored[1])
    assert store.slide_ids == []
    assert "no slide" in store.header.reason


def test_other_features_than_those_of_the_model_are_refused(fold, stored, tmp_path):

    others = {}
    for slide_id, path in stored[1].items():
        read = read_features(path)
        others[slide_id] = tmp_path / f"{slide_id}.zarr"
        write_features(others[slide_id], replace(read, feature_names=tuple(f"g{n}" for n in read.feature_names)))
    with pytest.raises(CohortError, match="are not the"):
        explain(fold, others)
