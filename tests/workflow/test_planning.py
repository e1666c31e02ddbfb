"""Planning a run needs Snakemake, what Snakemake depends on, and nothing else."""

import re
import subprocess
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("rois_per_job", [1, 32])
def test_a_run_is_planned(launcher, tmp_path, rois_per_job):
    sheet = Path(tmp_path / "slides.csv")
    for name in ("new", *(f"s{i}" for i in range(8))):
        (tmp_path / f"{name}.svs").write_text(name)
    rows = [f"s{i},s{i}.svs,{'xy'[i % 2]}" for i in range(8)]
    sheet.write_text("\n".join(["slide_id,path,label", *rows, "new,new.svs,"]) + "\n")
    where = ["-s", str(ROOT / "Snakefile"), "--configfile", str(ROOT / "config/test/config.yaml")]
    config = [f"sheet={sheet}", f"rois_per_job={rois_per_job}"]
    planned = run(launcher, "snakemake", *where, "--config", *config, "--dry-run", "--cores", "1", cwd=tmp_path)
    assert planned.returncode == 0, planned.stdout[-2000:] + planned.stderr[-2000:]
    for rule in ("segment_nuclei", "train_final", "evaluate", "predict", "write_report"):
        assert re.search(rf"^{rule}(_[0-9a-f]{{3}})? ", planned.stdout + planned.stderr, re.MULTILINE)
