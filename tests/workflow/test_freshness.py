"""Which jobs a file of the user reruns: one that is replaced, whatever its date; none that is copied or touched."""

import json
import os
import shutil
from contextlib import contextmanager

import h5py
import numpy as np
import pytest

from pipeline.artefacts.tiles import read_tiles
from pipeline.nuclei.network.weights_files import resolve_weights
from pipeline.nuclei.params import SHIPPED_WEIGHTS

OLD = 1_577_836_800
TO_FEATURES = {"tile_slide": 1, "segment_nuclei": 1, "build_cell_graphs": 1, "cache_features": 1}
SHEET = """slide_id,path,mask,tiles,features,nuclei
plain,plain.tif,,,,
masked,masked.tif,mask.geojson,,,
given,given.tif,,coords.h5,,
imported,,,,imported.h5,
counted,counted.tif,,,,nuclei.csv
"""


@pytest.fixture(scope="module")
def run(new_run):
    """A run up to the features of five slides, one a way in which files come in."""
    made = new_run("freshness")
    painted = sorted((made.folder / "slides/slides").glob("s0*.tif"))
    for name, slide in zip(("plain", "masked", "given", "counted", "another"), painted, strict=False):
        shutil.copy(slide, made.folder / f"{name}.tif")
    write_mask(made.folder / "mask.geojson", 320)
    write_coords(made.folder / "coords.h5", [[0, 0], [128, 128]])
    with h5py.File(made.folder / "imported.h5", "w") as file:
        file["features"] = np.ones((3, 4), np.float32)
        file["coords"] = np.arange(6).reshape(3, 2)
    write_nuclei(made.folder / "nuclei.csv", seed=0)
    shutil.copy(resolve_weights(SHIPPED_WEIGHTS), made.folder / "weights.pt")
    (made.folder / "fresh.csv").write_text(SHEET)
    done = made.snakemake("features", changed=changed(made))
    assert done.returncode == 0, done.stderr[-3000:]
    return made


def changed(run) -> dict:
    return {"sheet": "fresh.csv", "nuclei": {"weights": str(run.folder / "weights.pt")}}


def write_mask(path, side: int) -> None:
    ring = [[0, 0], [side, 0], [side, side], [0, side], [0, 0]]
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))


def write_coords(path, coords) -> None:
    with h5py.File(path, "w") as file:
        file["coords"] = np.array(coords)
        file["coords"].attrs.update({"patch_size": 128, "patch_level": 0})


def write_nuclei(path, seed: int) -> None:
    places = np.random.default_rng(seed).uniform(5, 150, (60, 2)).round(2)
    path.write_text("\n".join(["x_um,y_um", *(f"{x},{y}" for x, y in places)]) + "\n")


@contextmanager
def replaced(path, write):
    """Put another file in the place of ``path`` for a while, dated before anything was made of it."""
    content = path.read_bytes()
    write(path)
    os.utime(path, (OLD, OLD))
    try:
        yield
    finally:
        path.write_bytes(content)


def planned(run) -> dict[str, int]:
    jobs = run.planned("features", changed=changed(run))
    return {rule: count for rule, count in jobs.items() if rule != "features"}


def inputs_of(run):
    return [run.folder / name for name in ("plain.tif", "masked.tif", "given.tif", "weights.pt", *files_beside())]


def files_beside():
    return "mask.geojson", "coords.h5", "imported.h5", "nuclei.csv"


def test_unchanged_files_rerun_nothing(run):
    done = run.snakemake("features", changed=changed(run))
    assert "Nothing to be done" in done.stdout + done.stderr


def test_files_that_are_touched_rerun_nothing(run):
    for path in inputs_of(run):
        path.touch()
    assert planned(run) == {}


def test_fresh_copies_rerun_nothing(run):
    for path in inputs_of(run):
        shutil.copy(path, run.folder / "copy")
        path.unlink()
        (run.folder / "copy").rename(path)
    assert planned(run) == {}


def test_a_damaged_cache_of_fingerprints_reruns_nothing(run):
    (run.results / ".fingerprints.json").write_text("{")
    assert planned(run) == {}


def test_a_slide_replaced_by_an_older_one_reruns_all_that_is_made_of_it(run):
    with replaced(run.folder / "plain.tif", lambda path: shutil.copy(run.folder / "another.tif", path)):
        assert planned(run) == TO_FEATURES


def test_a_slide_replaced_by_one_of_the_same_size_and_date_too(run):
    path = run.folder / "plain.tif"
    os.utime(path, (OLD, OLD))
    assert planned(run) == {}
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    with replaced(path, lambda path: path.write_bytes(content)):
        assert planned(run) == TO_FEATURES


def test_a_replaced_mask_reruns_its_slide(run):
    with replaced(run.folder / "mask.geojson", lambda path: write_mask(path, 200)):
        assert planned(run) == TO_FEATURES


def test_replaced_coordinates_rerun_their_slide(run):
    expected = {"import_tiles" if rule == "tile_slide" else rule: count for rule, count in TO_FEATURES.items()}
    with replaced(run.folder / "coords.h5", lambda path: write_coords(path, [[0, 0], [128, 0]])):
        assert planned(run) == expected


def test_replaced_features_rerun_their_import(run):
    def write(path):
        with h5py.File(path, "r+") as file:
            file["features"][0, 0] = 2

    with replaced(run.folder / "imported.h5", write):
        assert planned(run) == {"import_features": 1}


def test_replaced_nuclei_rerun_their_import(run):
    with replaced(run.folder / "nuclei.csv", lambda path: write_nuclei(path, seed=1)):
        assert planned(run) == {"import_nuclei": 1, "build_cell_graphs": 1, "cache_features": 1}


def test_replaced_weights_rerun_segmentation(run):
    def write(path):
        path.write_bytes(path.read_bytes() + b"\0")

    with replaced(run.folder / "weights.pt", write):
        assert planned(run) == {"segment_nuclei": 3, "build_cell_graphs": 3, "cache_features": 3}


def test_a_file_from_the_future_is_refused_with_its_remedy(run):
    path = run.folder / "plain.tif"
    os.utime(path, (4e9, 4e9))
    try:
        done = run.snakemake("features", "--dry-run", changed=changed(run))
    finally:
        os.utime(path)
    assert done.returncode != 0
    assert "plain.tif: dated in the future" in done.stdout + done.stderr


def test_dates_stand_in_no_artefact(run):
    before = {path: path.read_bytes() for path in (run.results / "tiles").glob("*.parquet")}
    for path in inputs_of(run):
        os.utime(path, (OLD, OLD))
    done = run.snakemake("tiles", "--forceall", changed=changed(run))
    assert done.returncode == 0, done.stderr[-3000:]
    assert {path: path.read_bytes() for path in before} == before
    assert set(read_tiles(run.results / "tiles/masked.parquet").header["provenance"]["upstream"]) == {"slide", "mask"}
