import json
import re
import shutil

import pandas as pd

from pipeline.artefacts.features import read_features
from pipeline.artefacts.learned_graphs import read_learned_graph
from tests.workflow.conftest import Run

METHODS = ["default", "mean_pool"]


def test_every_output_of_the_design_is_there(finished):
    expected = ["training/test/splits.csv", "training/test/excluded.csv", "training/test/provenance.json"]
    expected += [
        "training/test/comparison.csv",
        "predictions/test.csv",
        "report/test/index.html",
        "report/test/figures",
    ]
    for method in METHODS:
        expected += [f"training/test/{method}/seed_0/metrics.json"]
        expected += [
            f"training/test/{method}/seed_0/fold_{fold}/{name}"
            for fold in (0, 1, 2)
            for name in (
                "model.pt",
                "history.csv",
                "predictions.csv",
                "graphs.zarr",
                "graph_path.json",
                "provenance.json",
            )
        ]
    for slide in pd.read_csv(finished.folder / "slides/slides.csv")["slide_id"]:
        expected += [f"tiles/{slide}.parquet", f"tiles/{slide}.png", f"nuclei/{slide}.parquet"]
        expected += [f"cell_graphs/{slide}.zarr", f"features/{slide}.zarr"]
        expected += [f"geojson/{slide}.nuclei.geojson.gz", f"geojson/{slide}.patches.geojson"]
    assert [name for name in expected if not (finished.results / name).exists()] == []


def test_bad_slides_are_excluded_with_their_reasons_and_the_rest_is_trained_on(finished):
    truth = pd.read_csv(finished.folder / "slides/truth/truth.csv", keep_default_na=False).set_index("slide_id")
    excluded = pd.read_csv(finished.results / "training/test/excluded.csv").set_index("slide_id")
    assert set(excluded.index) == set(truth.index[truth["fault"] != ""])
    for slide_id, reason in excluded["reason"].items():
        assert read_features(finished.results / f"features/{slide_id}.zarr").reason == reason
        assert truth.loc[slide_id, "fault"] != "empty" or "tissue" in reason
    splits = pd.read_csv(finished.results / "training/test/splits.csv")
    assert set(splits["slide_id"]).isdisjoint(excluded.index)
    tested = splits[splits["role"] == "test"]
    assert tested["slide_id"].is_unique
    assert splits.groupby(["seed", "fold", "case_id"])["role"].nunique().max() == 1


def test_metrics_are_those_of_the_predictions(finished):
    folder = finished.results / "training/test/default/seed_0"
    metrics = json.loads((folder / "metrics.json").read_text())
    for entry in metrics["folds"]:
        table = pd.read_csv(folder / f"fold_{entry['fold']}" / "predictions.csv")
        assert entry["accuracy"] == (table["label"] == table["predicted"]).mean()
        assert entry["n"] == len(table)


def test_learned_graphs_index_the_feature_store(finished):
    splits = pd.read_csv(finished.results / "training/test/splits.csv")
    for row in splits[splits["role"] == "test"].itertuples():
        store = read_features(finished.results / f"features/{row.slide_id}.zarr")
        path = finished.results / f"training/test/default/seed_0/fold_{row.fold}/graphs.zarr"
        graph = read_learned_graph(path, row.slide_id)
        n_tiles = len(store.features)
        assert graph.edge_index.shape[1] == n_tiles * (n_tiles - 1)
        assert (graph.edge_index[0] != graph.edge_index[1]).all()
        assert graph.weight.min() >= 0
        assert graph.weight.max() <= 1


def test_slides_without_label_are_predicted_and_nothing_else(finished):
    sheet = pd.read_csv(finished.folder / "slides/slides.csv", keep_default_na=False)
    predictions = pd.read_csv(finished.results / "predictions/test.csv")
    assert set(predictions["slide_id"]) == set(sheet.loc[sheet["label"] == "", "slide_id"])
    probabilities = predictions[[name for name in predictions if name.startswith("p_")]]
    assert probabilities.sum(axis=1).sub(1).abs().max() < 1e-6


def test_the_report_stands_alone(finished):
    page = (finished.results / "report/test/index.html").read_text(encoding="utf-8")
    loaded = re.findall(r"""(?:src=|<link[^>]*href=|url\()["']?([^"')\s>]+)""", page)
    assert loaded
    assert [source for source in loaded if not source.startswith(("data:", "#"))] == []
    assert "data:image/png;base64," in page
    assert "default" in page


def test_every_job_has_a_log_and_a_benchmark(finished):
    for rule in ("tile_slide", "segment_nuclei", "train_fold", "write_report"):
        assert list((finished.results / "logs" / rule).rglob("*.log"))
        assert list((finished.results / "benchmarks" / rule).rglob("*.tsv"))


def test_deleting_all_output_leaves_logs_and_what_is_not_the_runs_own(finished, exclude, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder)
    copy = Run(finished.checkout, folder)
    (copy.results / "tiles/mine.txt").write_text("kept")
    assert copy.snakemake("--delete-all-output", "--dry-run", changed=exclude).returncode == 0
    assert (copy.results / "benchmarks").is_dir()
    deleted = copy.snakemake("--delete-all-output", changed=exclude)
    assert deleted.returncode == 0, deleted.stderr[-3000:]
    left = {path.relative_to(copy.results).parts[0] for path in copy.results.rglob("*")}
    assert left == {"logs", "tiles"}
    assert [path.name for path in (copy.results / "tiles").iterdir()] == ["mine.txt"]
