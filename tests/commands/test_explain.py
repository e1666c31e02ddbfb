from pipeline.artefacts.evidence import EvidenceStore
from tests.commands.running import run


def test_the_folds_of_a_training_are_explained(tmp_path, cohort):
    out = tmp_path / "out"
    quick = ["--folds", 3, "--set", "splits.select_share=0"]
    assert run("train", "--sheet", cohort / "slides.csv", "--out", out, "--method", "logistic", *quick) == 0
    cheap = ["--set", "interpretation.permutations=20", "--set", "interpretation.null_graphs=1"]
    assert run("explain", out, "--features", cohort / "features", "--set", "explain.path_steps=2", *cheap) == 0
    stores = [EvidenceStore(out / f"fold_{fold}/evidence.zarr") for fold in range(3)]
    assert sum(len(store.slide_ids) for store in stores) == 12
    facts = stores[0].of(stores[0].slide_ids[0]).facts
    assert "not weights of pairs" in facts.edge_reason


def test_what_is_missing_is_said(tmp_path, cohort, capsys):
    assert run("explain", tmp_path, "--features", cohort / "features") == 2
    assert "expected fold_{k}/model.pt" in capsys.readouterr().err
    (tmp_path / "fold_0").mkdir()
    (tmp_path / "fold_0/model.pt").write_bytes(b"")
    assert run("explain", tmp_path) == 2
    assert "expected --sheet, --features or both" in capsys.readouterr().err
