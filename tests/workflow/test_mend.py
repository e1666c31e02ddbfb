"""What ``abignet check --mend`` removes, the next run makes again as it was."""

import os
import shutil
import subprocess
import sys

import pytest

LEARNING = {"split_cohort", "train_fold", "explain_fold", "interpret", "train_final", "evaluate", "predict"}
FOLLOWING_A_FOLD = {
    *("train_fold", "explain_fold", "interpret", "evaluate"),
    *("write_report", "write_panels", "export_run"),
}
TRAINING = LEARNING | {"write_report", "write_panels", "export_run"}


def check(run, *options):
    """Exit code and lines of ``abignet check``."""
    command = [sys.executable, "-m", "pipeline", "--quiet", "check", str(run.results), *options]
    environment = {**os.environ, "PYTHONPATH": str(run.checkout)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.splitlines()


def files_of(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path.name[0] != "."}


def test_a_finished_run_has_no_fault(finished):
    assert check(finished) == (0, [])


@pytest.mark.parametrize(
    ("name", "made_again"),
    [
        ("cell_graphs/s01.zarr/weight", {"build_cell_graphs", "cache_features", "export_geojson"} | TRAINING),
        ("features/new01.zarr/coords", {"cache_features", "export_geojson", "predict", "write_report", "write_panels"}),
        ("training/test/default/seed_0/fold_1/graphs.zarr", FOLLOWING_A_FOLD),
        ("training/test/default/interpretation/motifs.csv", {"interpret", "write_report", "write_panels"}),
        ("geojson/test/s01.geojson", {"export_run"}),
        ("training/test/mean_pool/seed_0/metrics.json", {"evaluate", "write_report", "write_panels"}),
    ],
)
def test_what_is_removed_is_planned_again(copied, exclude, name, made_again):
    path = copied.results / name
    shutil.rmtree(path) if path.is_dir() else path.write_text("{}")
    code, lines = check(copied, "--mend")
    assert code == 0
    assert lines
    assert set(copied.planned(changed=exclude)) == made_again


def test_mended_predictions_are_those_that_were_written(copied, exclude):
    before = files_of(copied.results / "predictions")
    table = copied.results / "predictions/test.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    code, lines = check(copied)
    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith(f"{table}: damaged: it is damaged or was edited")
    assert check(copied, "--mend")[0] == 0
    done = copied.snakemake(changed=exclude)
    assert done.returncode == 0, done.stderr[-3000:]
    assert files_of(copied.results / "predictions") == before
    assert check(copied) == (0, [])
