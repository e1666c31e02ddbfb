"""Planning a run needs Snakemake, what Snakemake depends on, and nothing else."""

import re
import subprocess
from pathlib import Path

import pytest

from pipeline.devices import has_driver
from tests.environments.launcher import make_launcher
from tests.workflow.conftest import ROOT

SCIENTIFIC = {"numpy", "pandas", "torch", "scipy", "zarr", "click", "h5py", "scikit-learn"}


@pytest.fixture(scope="module")
def launcher(tmp_path_factory) -> Path:
    """An environment with Snakemake alone."""
    folder = tmp_path_factory.mktemp("launcher")
    assert not make_launcher(folder) & SCIENTIFIC
    return folder


def run(launcher: Path, command: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{launcher}/bin:/usr/bin:/bin", "HOME": str(cwd)}
    return subprocess.run(
        [str(launcher / "bin" / command), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=environment,
    )


def test_such_a_launcher_holds_no_scientific_package(launcher, tmp_path):
    assert "No module named 'numpy'" in run(launcher, "python", "-c", "import numpy", cwd=tmp_path).stderr
    assert run(launcher, "python", "-c", "import yaml, snakemake", cwd=tmp_path).returncode == 0


@pytest.fixture
def sheet(tmp_path) -> Path:
    """Eight slides of two classes and one to predict, which nothing reads at planning."""
    for name in ("new", *(f"s{i}" for i in range(8))):
        (tmp_path / f"{name}.svs").write_text(name)
    rows = [f"s{i},s{i}.svs,{'xy'[i % 2]}" for i in range(8)]
    file = tmp_path / "slides.csv"
    file.write_text("\n".join(["slide_id,path,label", *rows, "new,new.svs,"]) + "\n")
    return file


def plan(launcher: Path, sheet: Path, *arguments: str, **changed: object) -> subprocess.CompletedProcess[str]:
    where = ["-s", str(ROOT / "Snakefile"), "--configfile", str(ROOT / "config/test/config.yaml")]
    config = [f"{key}={value}" for key, value in {"sheet": sheet, **changed}.items()]
    return run(
        launcher, "snakemake", *where, "--dry-run", "--cores", "1", *arguments, "--config", *config, cwd=sheet.parent
    )


@pytest.mark.parametrize("rois_per_job", [1, 32])
def test_a_run_is_planned(launcher, sheet, rois_per_job):
    planned = plan(launcher, sheet, rois_per_job=rois_per_job)
    assert planned.returncode == 0, planned.stdout[-2000:] + planned.stderr[-2000:]
    for rule in ("segment_nuclei", "train_final", "evaluate", "predict", "write_report"):
        assert re.search(rf"^{rule}(_[0-9a-f]{{3}})? ", planned.stdout + planned.stderr, re.MULTILINE)


def test_lists_and_sections_are_given_on_the_command_line(launcher, sheet):
    planned = plan(launcher, sheet, seeds="[4,5]", splits="{folds: 2}")
    assert planned.returncode == 0, planned.stdout[-2000:] + planned.stderr[-2000:]
    assert re.search(r"^train_fold +8$", planned.stdout + planned.stderr, re.MULTILINE)


@pytest.mark.skipif(has_driver(), reason="needs a machine without CUDA's driver")
def test_environments_with_cuda_say_what_a_login_node_needs(launcher, sheet):
    planned = plan(launcher, sheet, "--use-conda", device="auto", gpus=2)
    assert planned.returncode != 0
    said = planned.stdout + planned.stderr
    assert "envs/nuclei-cuda.yaml, envs/training-cuda.yaml" in said
    assert "export CONDA_OVERRIDE_CUDA=" in said
    assert "Traceback" not in said
