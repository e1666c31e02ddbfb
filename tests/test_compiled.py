import ast
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from pipeline.compiled import compiled
from pipeline.reachability import module_file, package_modules

MODULE = """
from pipeline.compiled import compiled

@compiled
def total(values):
    sum_ = 0.0
    for value in values:
        sum_ += value
    return sum_
"""


def plain_total(values: np.ndarray) -> float:
    sum_ = 0.0
    for value in values:
        sum_ += value
    return sum_


def test_operations_keep_their_order() -> None:
    values = np.random.default_rng(0).normal(0, 1e8, 10_001)
    assert compiled(plain_total)(values) == plain_total(values)


@pytest.mark.parametrize("writable", [True, False])
def test_machine_code_is_kept_where_a_folder_can_be_written(tmp_path: Path, writable: bool) -> None:
    """A read-only installation without a home compiles in every process instead of failing."""
    (tmp_path / "module.py").write_text(MODULE)
    cache = tmp_path / "cache" if writable else tmp_path / "module.py" / "cache"
    command = "import module; print(module.total([1.0, 2.0]))"
    environment = {"PYTHONPATH": f"{tmp_path}:{Path.cwd()}", "NUMBA_CACHE_DIR": str(cache), "PATH": "/usr/bin"}
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", command], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.stdout == "3.0\n", ended.stderr
    assert cache.exists() == writable


def test_a_compiled_function_is_numbas() -> None:
    assert isinstance(compiled(plain_total), numba.core.dispatcher.Dispatcher)


def names_of_other_files(tree: ast.Module) -> set[str]:
    """Names that a module imports from others of the package, but for types of arrays."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if str(node.module).startswith("pipeline.") and node.module != "pipeline.arrays"]
    return {alias.asname or alias.name for node in ours for alias in node.names}


def compiled_bodies(tree: ast.Module) -> list[ast.stmt]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [line for f in functions if "compiled" in map(ast.unparse, f.decorator_list) for line in f.body]


@pytest.mark.parametrize("module", [m for m in package_modules() if "\n@compiled\n" in module_file(m).read_text()])
def test_compiled_code_takes_nothing_from_another_file_whose_edit_it_would_not_notice(module: str) -> None:
    tree = ast.parse(module_file(module).read_text())
    used = {n.id for line in compiled_bodies(tree) for n in ast.walk(line) if isinstance(n, ast.Name)}
    assert used
    assert not used & names_of_other_files(tree)
