"""The drivers run on a machine with a card only: what they import must at least be there."""

import ast
import sys
from importlib import import_module
from pathlib import Path

import pytest

DRIVERS = sorted((Path(__file__).parents[1] / "benchmarks/gpu/drivers").glob("*.py"))


def imported_names(file: Path) -> list[tuple[str, str]]:
    imports = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if (node.module or "").split(".")[0] == "pipeline"]
    return [(node.module, alias.name) for node in ours for alias in node.names]


@pytest.mark.parametrize("file", DRIVERS, ids=lambda file: file.stem)
def test_what_a_driver_imports_is_there(file):
    for module, name in imported_names(file):
        if not hasattr(import_module(module), name):
            import_module(f"{module}.{name}")


def test_no_driver_hides_a_package():
    assert not {file.stem for file in DRIVERS} & {"sparse", "torch", "numpy", "dask", "zarr", "pandas"}


NETWORKS = ("pipeline.nuclei.network.inference_engine", "pipeline.training.fitting", "pipeline.training.graphs")
"""Who imports of these runs a network or a kernel."""

ONLY_READS = {"damage", "device_clock"}
"""Benchmarks that read models and run none."""


def test_benchmarks_that_run_a_network_take_a_device():
    without = []
    for file in (Path(__file__).parents[1] / "benchmarks").glob("*.py"):
        runs = any(module.startswith(NETWORKS) for module, _ in imported_names(file))
        text = file.read_text()
        if runs and "ArgumentParser" in text and "add_device(" not in text and '"--device"' not in text:
            without.append(file.stem)
    assert set(without) <= ONLY_READS


@pytest.fixture
def goals(monkeypatch):
    monkeypatch.syspath_prepend(str(DRIVERS[0].parent))
    yield import_module("goals")
    sys.modules.pop("goals")


MEASURED = {
    "train_cpu": {"default_float32": {"wall_s": 45.0}},
    "train_cuda": {"default_float32": {"wall_s": 2.5}, "kernels": {"busy": 0.3}},
    "bags_cpu": {"one_fold": {"wall_s": 60.0}},
    "bags_cuda": {"five_folds": {"wall_s": 30.0}},
    "sparse_cuda": {"sparse": {"65536": {"s": 0.25}, "262144": "out of memory"}},
    "nuclei_cuda": {
        "throughput": {
            "compact b8 t8 float32": {"tiles_s": 61.0, "cpus": 7.0},
            "compact b8 t16 float16": {"tiles_s": 90.0, "cpus": 3.0},
        }
    },
}


def test_goals_are_met_or_not_or_not_measured(goals):
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in goals.table(MEASURED).splitlines()[2:]]
    found = {row[0]: (row[3], row[5]) for row in cells}
    assert found["500 planted images of 40 patches, whole training, s"] == ("18", "yes")
    assert found["849 bags of TCGA regions, five folds in one call, s (processor: 5 times fold 0)"] == ("10", "no")
    assert found["sparse step of both levels at 65,536 patches, search counted, s"] == ("0.25", "yes")
    assert found["sparse step of both levels at 262,144 patches, search counted, s"] == ("-", "not measured")
    assert found["kernels run: planted training"] == ("0.3", "no")
    # Fast enough, but with seven cores; single precision alone counts.
    assert found["nuclei, compact, tiles of 1,024 px a second (busy cores in place of processor)"] == ("61", "no")


def test_nothing_measured_is_no_goal_met(goals):
    assert all(line.rstrip(" |").endswith("not measured") for line in goals.table({}).splitlines()[2:])
