from pathlib import Path

import pytest

from pipeline.report.contents.stage_costs import StageCost, read_stage_costs

HEADER = "s\th:m:s\tmax_rss\tmax_vms\n"


def job(root: Path, name: str, seconds: object, memory: object) -> None:
    path = root / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:01\t{memory}\t1.0\n")


def test_jobs_of_a_stage_are_added_up(tmp_path: Path) -> None:
    job(tmp_path, "tile_slide/a", 60, 300.5)
    job(tmp_path, "tile_slide/batch_000", 30, 400)
    job(tmp_path, "train_fold/main/default/seed_0/fold_1", 5, "-")
    assert read_stage_costs(tmp_path, "main") == (
        StageCost("tile_slide", 2, 90.0, 60.0, 400.0),
        StageCost("train_fold", 1, 5.0, 5.0, None),
    )


def test_jobs_of_other_runs_do_not_count(tmp_path: Path) -> None:
    for run in ("main", "other"):
        job(tmp_path, f"split_cohort/{run}", 1, 100)
        job(tmp_path, f"train_fold/{run}/default/seed_0/fold_0", 7, 100)
    assert [(cost.stage, cost.n_jobs) for cost in read_stage_costs(tmp_path, "main")] == [
        ("split_cohort", 1),
        ("train_fold", 1),
    ]


@pytest.mark.parametrize("content", ["", "nothing\nof it\n", HEADER + "long\t0\tmuch\t1\n"])
def test_a_table_that_cannot_be_read_is_left_out(tmp_path: Path, content: str) -> None:
    job(tmp_path, "evaluate/main", 2, 50)
    (tmp_path / "evaluate/second.tsv").write_text(content)
    assert read_stage_costs(tmp_path, "main") == (StageCost("evaluate", 1, 2.0, 2.0, 50.0),)


def test_without_measurements_there_are_none(tmp_path: Path) -> None:
    assert read_stage_costs(None, "main") == ()
    assert read_stage_costs(tmp_path / "gone", "main") == ()
