import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.interpretation import TABLES, read_interpretation
from pipeline.errors import CohortError
from pipeline.provenance import file_digest
from pipeline.training.explain_fold import explain_fold
from pipeline.training.fitting.checkpoint import write_no_model
from pipeline.training.interpret import interpret, spread_over_classes
from pipeline.training.interpretation.explain_params import ExplainParams
from pipeline.training.interpretation.graph_metrics import METRICS
from pipeline.training.interpretation.interpret_params import InterpretParams
from tests.training.test_train_fold import run

CHEAP = InterpretParams(graphs_measured=12, graphs_compared=4, null_graphs=1, permutations=20, kinds=3)


@pytest.fixture(scope="module")
def folds(splits, stored, tmp_path_factory):
    root = tmp_path_factory.mktemp("trained")
    trained = {(0, fold): run(splits, stored, root / f"fold_{fold}", "joint", fold=fold) for fold in (0, 1)}
    explain_fold(trained[0, 0], stored[1], ExplainParams(path_steps=2, curve_images=2), device="cpu", source="s")
    return trained


def test_a_method_is_interpreted(folds, stored, tmp_path):
    out = tmp_path / "interpretation"
    interpret(folds, stored[1], out, CHEAP, source="s")
    found = read_interpretation(out)
    assert found.tables.keys() == TABLES.keys()
    assert len(found.tables["graph_metrics"]) == 12
    assert set(found.tables["graph_metrics"]["label"]) == {"0", "1"}
    assert set(METRICS) | {f"excess_{name}" for name in METRICS} < set(found.tables["graph_metrics"])
    assert len(found.tables["graph_tests"]) == 2 * 37
    assert set(found.tables["stability"]["between"]) == {"folds"}
    assert found.tables["faithfulness"]["n_images"].tolist() == [2] * 12
    assert len(found.tables["motifs"]) == 2 * 6
    assert found.summary["method"] == "joint"
    assert found.summary["graph_path_on"] is None
    assert sum(kind["share"]["0"] for kind in found.summary["kinds"]) == pytest.approx(1)
    first = file_digest(out)
    interpret(folds, stored[1], out, CHEAP, source="s")
    assert file_digest(out) == first


def test_without_any_model_nothing_is_interpreted(folds, stored, tmp_path):
    write_no_model(tmp_path / "model.pt", reason="no slide", source="s")
    with pytest.raises(CohortError, match="no fold was trained"):
        interpret({(0, 0): tmp_path}, stored[1], tmp_path / "out", CHEAP, source="s")


def test_images_are_taken_alike_from_each_class():
    images = pd.DataFrame({"slide_id": [f"s{n:02}" for n in range(40)], "label": ["a"] * 30 + ["b"] * 10})
    chosen = spread_over_classes(images, 10)
    assert chosen["label"].value_counts().to_dict() == {"a": 5, "b": 5}
    assert np.diff([int(name[1:]) for name in chosen["slide_id"][:5]]).min() >= 7
    assert len(spread_over_classes(images, 50)) == 40
