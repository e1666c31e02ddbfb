import subprocess
import sys

import pytest

import pipeline.cellgraph


def test_every_public_name_is_there():
    for name in pipeline.cellgraph.__all__:
        assert getattr(pipeline.cellgraph, name) is not None
    assert set(pipeline.cellgraph.__all__) <= set(dir(pipeline.cellgraph))


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError, match=r"'pipeline\.cellgraph' has no attribute 'colour_features'"):
        pipeline.cellgraph.colour_features  # noqa: B018


def test_joining_nuclei_loads_no_feature():
    command = (
        "import sys; from pipeline.cellgraph import build_graphs_batch;"
        "print([m for m in sys.modules if m.startswith('pipeline.cellgraph.features')])"
    )
    loaded = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
