"""A small run of every format, about a minute in all; ``tests/fuzz/run.py`` goes on by hand."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.formats import FORMATS, true_example

N_INPUTS = {
    **{"geojson": 1500, "nuclei": 300, "config": 300, "setting": 1000, "sheet": 1000, "csv": 500, "json": 1500},
    **{"coords_h5": 50, "feature_h5": 50, "zarr": 60, "parquet": 600, "slide": 200, "weights": 60, "model": 400},
}
"""As many as take about five seconds."""


def test_every_format_is_fuzzed() -> None:
    assert N_INPUTS.keys() == FORMATS.keys()


@pytest.mark.parametrize("name", N_INPUTS)
def test_true_examples_are_accepted(name: str, tmp_path: Path) -> None:
    kind = FORMATS[name]
    for example in kind.examples(tmp_path):
        kind.read(true_example(example, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", N_INPUTS)
def test_what_is_read_is_accepted_or_a_clear_error(name: str) -> None:
    # In a process without threads of other tests, since each input may need a fork.
    command = [sys.executable, "-m", "tests.fuzz.run", name, "--inputs", str(N_INPUTS[name]), "--seconds", "300"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr[-2000:]
