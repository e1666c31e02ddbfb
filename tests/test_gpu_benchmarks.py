"""The drivers run on a machine with a card only: what they import must at least be there."""

import ast
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
