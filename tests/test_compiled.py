import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from pipeline.compiled import compiled

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
