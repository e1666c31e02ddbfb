"""Jobs that are left in the queue, as a small ``squeue`` lists them."""

import uuid

import pytest

from pipeline.cluster.job_names import run_jobs
from tests.cluster.fake_slurm import slurm  # noqa: F401
from tests.commands.running import run


@pytest.fixture
def queued(slurm, tmp_path):  # noqa: F811
    """Two jobs of run main, one of another run and one of another program."""
    slurm("scancel")
    names = [run_jobs(tmp_path / "results", "main"), run_jobs(tmp_path / "results", "other")]
    lines = [f"{i}|RUNNING|{name.prefix}_{uuid.uuid4()}|/a" for i, name in enumerate([names[0], *names])]
    slurm("squeue", "\n".join([*lines, "9|RUNNING|sleep|/a"]) + "\n")
    return slurm


def cancelled(slurm):  # noqa: F811
    return [call for call in slurm.calls() if call.startswith("scancel")]


def test_jobs_of_the_run_are_ended_and_no_others(queued, capsys):
    assert run("cancel", "main") == 0
    assert cancelled(queued) == ["scancel 0 1"]
    assert "2 jobs of run main cancelled" in capsys.readouterr().err


def test_a_dry_run_leaves_them(queued, capsys):
    assert run("cancel", "main", "--dry-run") == 0
    assert cancelled(queued) == []
    assert capsys.readouterr().out == "0 RUNNING\n1 RUNNING\n"


def test_a_folder_tells_runs_of_one_name_apart(queued, tmp_path):
    assert run("cancel", "main", "--outdir", tmp_path / "elsewhere") == 0
    assert cancelled(queued) == []
    assert run("cancel", "main", "--outdir", tmp_path / "results") == 0
    assert cancelled(queued) == ["scancel 0 1"]


def test_runs_of_one_name_in_two_folders_are_refused(slurm, tmp_path, capsys):  # noqa: F811
    names = [run_jobs(tmp_path / folder, "main").prefix for folder in "ab"]
    slurm("squeue", "".join(f"{i}|PENDING|{name}_{uuid.uuid4()}|/{i}\n" for i, name in enumerate(names)))
    assert run("cancel", "main") == 2
    assert "name it with --outdir" in capsys.readouterr().err
