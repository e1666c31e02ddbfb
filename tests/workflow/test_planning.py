"""Planning a run needs Snakemake, what Snakemake depends on, and nothing else."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT

LAUNCHER = """
import pkgutil
import sys
from importlib.abc import MetaPathFinder

everything = pkgutil.iter_modules
# The plugin for SLURM brings packages of its own.
pkgutil.iter_modules = lambda *a: (m for m in everything(*a) if not m.name.startswith("snakemake_executor_plugin"))


class Launcher(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names or top in {allowed}:
            return None
        raise ModuleNotFoundError(f"a launcher without {{top}}", name=name)


sys.meta_path.insert(0, Launcher())
"""


def snakemakes_modules() -> set[str]:
    """Top-level modules of Snakemake and of all that it depends on."""
    names, ahead = set(), ["snakemake"]
    while ahead:
        name = ahead.pop()
        if name in names:
            continue
        names.add(name)
        try:
            required = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        bare = [line.partition(";")[0] for line in required if "extra ==" not in line]
        ahead += [normalised(line) for line in bare]
    by_module = metadata.packages_distributions().items()
    return {module for module, dists in by_module if {normalised(dist) for dist in dists} & names}


def normalised(requirement: str) -> str:
    """Name of a distribution at the start of a requirement, as pip compares names."""
    end = next((i for i, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), len(requirement))
    return requirement[:end].lower().replace("_", "-").replace(".", "-")


@pytest.fixture
def launcher(tmp_path):
    """Run Python where other packages than Snakemake's cannot be imported."""

    def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        allowed = snakemakes_modules() | {"pipeline", "_distutils_hack"}
        command = [sys.executable, "-c", LAUNCHER.format(allowed=sorted(allowed)) + code, *arguments]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)

    return run


def test_such_a_launcher_holds_no_scientific_package(launcher):
    assert not snakemakes_modules() & {"numpy", "pandas", "torch", "scipy", "zarr", "click", "h5py", "sklearn"}
    assert "a launcher without numpy" in launcher("import numpy").stderr
    assert launcher("import yaml, snakemake").returncode == 0


@pytest.mark.parametrize("rois_per_job", [1, 32])
def test_a_run_is_planned(launcher, tmp_path, rois_per_job):
    sheet = Path(tmp_path / "slides.csv")
    for name in ("new", *(f"s{i}" for i in range(8))):
        (tmp_path / f"{name}.svs").write_text(name)
    rows = [f"s{i},s{i}.svs,{'xy'[i % 2]}" for i in range(8)]
    sheet.write_text("\n".join(["slide_id,path,label", *rows, "new,new.svs,"]) + "\n")
    code = "from snakemake.cli import main\nmain(sys.argv[1:])"
    where = ["-s", str(ROOT / "Snakefile"), "--configfile", str(ROOT / "config/test/config.yaml")]
    config = [f"sheet={sheet}", f"rois_per_job={rois_per_job}"]
    planned = launcher(code, *where, "--config", *config, "--dry-run", "--cores", "1")
    assert planned.returncode == 0, planned.stdout[-2000:] + planned.stderr[-2000:]
    for rule in ("segment_nuclei", "train_final", "evaluate", "predict", "write_report"):
        assert re.search(rf"^{rule}(_[0-9a-f]{{3}})? ", planned.stdout + planned.stderr, re.MULTILINE)
