from pathlib import Path

import pytest

from pipeline.commands.results_layout import OUTPUTS, product, products, to_remove

ROOT = Path("out")
RUN_FILES = [
    "training/r/splits.csv",
    "training/r/provenance.json",
    "training/r/joint/seed_0/fold_0/model.pt",
    "training/r/joint/seed_0/fold_0/graphs.zarr",
    "training/r/joint/seed_0/fold_1/model.pt",
    "training/r/joint/final/model.pt",
    "training/r/comparison.csv",
    "training/r/joint/seed_0/metrics.json",
    "predictions/r.csv",
    "report/r/index.html",
]
SLIDE_FILES = [
    f"{folder}/{slide}{end}"
    for folder, end in (
        ("tiles", ".parquet"),
        ("tiles", ".png"),
        ("nuclei", ".parquet"),
        ("cell_graphs", ".zarr"),
        ("features", ".zarr"),
        ("geojson", ".nuclei.geojson.gz"),
    )
    for slide in ("a", "b.1", "new")
]
EVERYTHING = [product(ROOT, ROOT / name) for name in (*SLIDE_FILES, *RUN_FILES)]
LEARNED = {"r": frozenset({"a", "b.1"})}


@pytest.mark.parametrize(
    ("name", "rule", "wildcards"),
    [
        ("tiles/b.1.parquet", "tile_slide", {"slide": "b.1"}),
        ("geojson/b.1.patches.geojson", "export_geojson", {"slide": "b.1"}),
        ("coords/trident/a_patches.h5", "export_tiles", {"slide": "a"}),
        ("coords/geojson/a.tiles.geojson", "export_tiles", {"slide": "a"}),
        ("training/r/excluded.csv", "split_cohort", {"run": "r"}),
        ("training/r/joint/seed_3/fold_12/history.csv", "train_fold", {"seed": "3", "fold": "12"}),
        ("training/r/joint/final/model.pt", "train_final", {"run": "r", "method": "joint"}),
        ("training/r/joint/seed_0/metrics.json", "evaluate", {"run": "r"}),
        ("training/r/joint/predictions.csv", "evaluate", {"run": "r"}),
        ("training/r/joint/seed_0/fold_1/predictions.csv", "train_fold", {"run": "r", "fold": "1"}),
        ("predictions/r.excluded.csv", "predict", {"run": "r"}),
        ("predictions/r.graphs.zarr", "predict", {"run": "r"}),
        ("report/r/figures", "write_report", {"run": "r"}),
        ("training/r/joint/interpretation", "interpret", {"run": "r", "method": "joint"}),
        ("training/r/joint/seed_0/fold_1/evidence.zarr", "explain_fold", {"seed": "0", "fold": "1"}),
        ("geojson/r", "export_run", {"run": "r"}),
        ("report/r/panels", "write_panels", {"run": "r"}),
        ("caches/a.zarr", None, {}),
        ("fold_0/model.pt", None, {}),
    ],
)
def test_a_path_tells_its_rule_and_what_for(name, rule, wildcards):
    found = product(ROOT, ROOT / name)
    assert found.rule == rule
    assert wildcards.items() <= found.wildcards.items()


def removed(*faulty):
    return {one.name for one in to_remove([product(ROOT, ROOT / name) for name in faulty], EVERYTHING, LEARNED)}


def test_what_was_made_from_a_faulty_file_goes_with_it():
    of_a = {name for name in SLIDE_FILES if Path(name).name.startswith("a.")}
    assert removed("tiles/a.parquet") == of_a | set(RUN_FILES)
    assert removed("cell_graphs/a.zarr") == {
        "cell_graphs/a.zarr",
        "features/a.zarr",
        "geojson/a.nuclei.geojson.gz",
        *RUN_FILES,
    }


def test_no_training_is_repeated_for_a_slide_that_is_predicted_only():
    assert removed("features/new.zarr") == {
        "features/new.zarr",
        "geojson/new.nuclei.geojson.gz",
        "predictions/r.csv",
        "report/r/index.html",
    }


def test_a_job_is_removed_whole_and_other_folds_stay():
    assert removed("training/r/joint/seed_0/fold_0/model.pt") == {
        "training/r/joint/seed_0/fold_0/model.pt",
        "training/r/joint/seed_0/fold_0/graphs.zarr",
        "training/r/comparison.csv",
        "training/r/joint/seed_0/metrics.json",
        "report/r/index.html",
    }
    assert removed("geojson/a.nuclei.geojson.gz") == {"geojson/a.nuclei.geojson.gz"}
    assert removed("report/r/index.html") == {"report/r/index.html"}


def test_what_is_not_known_to_be_independent_goes_as_well():
    faulty = [product(ROOT, ROOT / "features/new.zarr")]
    names = {one.name for one in to_remove(faulty, EVERYTHING, {})}
    assert set(RUN_FILES) < names


def test_last_made_is_removed_first():
    names = [one.name for one in to_remove([product(ROOT, ROOT / "tiles/a.parquet")], EVERYTHING, LEARNED)]
    assert names.index("report/r/index.html") < names.index("features/a.zarr") < names.index("tiles/a.parquet")


def test_products_come_in_the_order_of_the_science_without_logs_and_hidden_files(tmp_path):
    for name in (*RUN_FILES, *SLIDE_FILES, "logs/tile_slide/a.log", ".partial/x", "benchmarks/a.tsv", "other.txt"):
        path = tmp_path / name
        if path.suffix == ".zarr":
            (path / "inside").mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    found = list(products(tmp_path))
    assert {one.name for one in found} == {*RUN_FILES, *SLIDE_FILES, "other.txt"}
    rules = [list(OUTPUTS).index(one.rule) for one in found if one.rule]
    assert rules == sorted(rules)
    assert found[-1].name == "other.txt"


def test_folders_that_one_rule_makes_as_a_whole_are_one_product(tmp_path):
    for name in ("training/r/joint/interpretation/motifs.csv", "geojson/r/a.geojson", "geojson/a.patches.geojson"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    found = {one.name: one.rule for one in products(tmp_path)}
    assert found == {
        "training/r/joint/interpretation": "interpret",
        "geojson/r": "export_run",
        "geojson/a.patches.geojson": "export_geojson",
    }
