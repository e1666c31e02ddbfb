"""Nuclei of other programs, in three formats, to the report."""

import json

import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.artefacts.features import read_features
from pipeline.artefacts.nuclei import read_nuclei
from pipeline.report.export_geojson import nuclei_geojson

pytestmark = pytest.mark.slow

SLIDES = [f"s{number:02d}" for number in range(1, 9)]
TYPES = np.array(["Tumor", "Stroma", None], dtype=object)


def as_hover_net(table, path):
    mpp = table.header["slide_mpp"]
    nuclei = {}
    for row in table.frame.itertuples():
        outline = shapely.get_coordinates(shapely.get_exterior_ring(shapely.from_wkb(row.contour_um))) / mpp - 0.5
        place = [row.x_um / mpp - 0.5, row.y_um / mpp - 0.5]
        nuclei[str(row.nucleus_id)] = {"centroid": place, "contour": outline.tolist(), "type": row.nucleus_id % 3}
    path.write_text(json.dumps({"mag": None, "nuc": nuclei}))


def as_table(table, path):
    places = table.frame[["x_um", "y_um"]]
    places.assign(type=TYPES[np.arange(len(places)) % 3]).to_csv(path, index=False)


FORMATS = {
    "geojson.gz": lambda table, path: nuclei_geojson(path.with_suffix("").with_suffix(".parquet"), path),
    "json": as_hover_net,
    "csv": as_table,
}


@pytest.fixture(scope="module")
def run(new_run):
    """Nuclei of eight slides, segmented and written as other programs do."""
    made = new_run("elsewhere")
    sheet = pd.read_csv(made.folder / "slides/slides.csv", keep_default_na=False).set_index("slide_id")
    rows = sheet.loc[SLIDES, ["path", "label", "case_id"]]
    rows["path"] = "slides/" + rows["path"]
    rows.to_csv(made.folder / "first.csv")
    done = made.snakemake("nuclei", changed={"sheet": "first.csv"})
    assert done.returncode == 0, done.stderr[-3000:]
    for number, slide in enumerate(SLIDES):
        suffix = list(FORMATS)[number % 3]
        path = made.results / f"nuclei/{slide}.{suffix}"
        FORMATS[suffix](read_nuclei(made.results / f"nuclei/{slide}.parquet"), path)
        rows.loc[slide, "nuclei"] = f"results/nuclei/{path.name}"
    rows.to_csv(made.folder / "given.csv")
    return made


def test_three_formats_run_to_the_report(run):
    changed = {"sheet": "given.csv", "outdir": "given", "on_mismatch": "warn"}
    for targets in (["cell_graphs"], ["features"], ["report"], []):
        planned = run.planned(*targets, changed=changed)
        assert planned["import_nuclei"] == 8
        assert "segment_nuclei" not in planned
    done = run.snakemake(changed=changed)
    assert done.returncode == 0, done.stderr[-3000:]
    page = (run.folder / "given/report/test/index.html").read_text(encoding="utf-8")
    assert "import_nuclei" in page
    for number, slide in enumerate(SLIDES):
        before, after = (read_nuclei(run.folder / f"{out}/nuclei/{slide}.parquet") for out in ("results", "given"))
        assert len(after.frame) == len(before.frame)
        assert ("type" in after.frame) == (number % 3 > 0)
        store = read_features(run.folder / f"given/features/{slide}.zarr")
        axes = store.features[:, store.feature_names.index("nematic_order")]
        assert np.isnan(axes).all() == (number % 3 == 2)
        assert (store.valid is None) == np.isfinite(store.features).all()
    assert run.planned(changed=changed) == {}


def test_the_same_nuclei_without_their_slides_run_to_the_report(run):
    given = pd.read_csv(run.folder / "given.csv").drop(columns="path").assign(mpp=None)
    for row in given.index:
        if not given.loc[row, "nuclei"].endswith("csv"):
            given.loc[row, "mpp"] = read_nuclei(run.results / f"nuclei/{SLIDES[row]}.parquet").header["slide_mpp"]
    given.to_csv(run.folder / "alone.csv", index=False)
    changed = {"sheet": "alone.csv", "outdir": "alone", "methods": ["mean_pool"], "on_mismatch": "warn"}
    planned = run.planned("report", changed=changed)
    assert (planned["tile_nuclei"], planned["import_nuclei"]) == (8, 8)
    assert {"tile_slide", "segment_nuclei"}.isdisjoint(planned)
    done = run.snakemake(changed=changed)
    assert done.returncode == 0, done.stderr[-3000:]
    for slide in SLIDES:
        before, after = (read_nuclei(run.folder / f"{out}/nuclei/{slide}.parquet") for out in ("results", "alone"))
        assert len(after.frame) >= len(before.frame)
        assert (run.folder / f"alone/tiles/{slide}.png").exists()
        assert (run.folder / f"alone/geojson/{slide}.nuclei.geojson.gz").exists()
    assert (run.folder / "alone/report/test/index.html").exists()
    assert "coords" in run.planned("coords", changed=changed)
