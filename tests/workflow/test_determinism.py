import pytest

from pipeline.provenance import file_digest

PLACES = ("tiles", "nuclei", "cell_graphs", "features", "training", "predictions", "geojson", "report")


@pytest.mark.slow
def test_one_core_and_two_cores_give_the_same_bytes(finished, new_run, exclude):
    alone = new_run("alone")
    done = alone.snakemake(changed=exclude, cores=1)
    assert done.returncode == 0, done.stderr[-3000:]
    files = sorted(
        path.relative_to(finished.results)
        for place in PLACES
        for path in (finished.results / place).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    )
    assert len(files) > 100
    assert [file for file in files if file_digest(finished.results / file) != file_digest(alone.results / file)] == []
