import uuid

import pytest

from pipeline.cluster.job_names import RunJobs, folder_digest, plain_run, read_name, run_jobs


def test_what_is_named_is_read_back(tmp_path):
    names = run_jobs(tmp_path / "results", "main")
    assert read_name(f"{names.prefix}_{uuid.uuid4()}") == names == RunJobs(folder_digest(tmp_path / "results"), "main")


def test_a_folder_has_one_digest_however_it_is_reached(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    assert len({folder_digest(path) for path in (tmp_path / "a", "a", "link", "link/../a")}) == 1
    assert folder_digest("a") != folder_digest("b")


@pytest.mark.parametrize(
    "name", ["python", "abignet", "3f0e-abignet_main", "abignet_xyz_main_35703d9d-df9b-4ec7-b970-050506de5134"]
)
def test_jobs_of_others_are_no_runs(name):
    assert read_name(name) is None


def test_the_longest_prefix_is_one_that_the_plugin_takes():
    prefix = run_jobs("results", "a run.with_everything " * 9).prefix
    assert len(prefix) <= 50
    assert all(c.isalnum() or c in "_-" for c in prefix)
    assert plain_run("my.run_2") == "my-run-2"
