import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.artefacts.features import read_features, write_features
from pipeline.artefacts.predictions import read_predictions
from pipeline.provenance import file_digest
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.export_run import export_run


def export(sources: ReportSources, out: Path, **features: Path) -> list[str]:
    folds = [sources.fold_folder("default", 0, fold) for fold in sources.folds]
    export_run(folds, {**sources.features, **features}, out, tiles=sources.tiles)
    return sorted(path.name for path in out.iterdir())


def test_each_test_image_has_a_file_that_qupath_reads(standard_run: ReportSources, tmp_path: Path) -> None:
    tested = [
        slide_id
        for fold in standard_run.folds
        for slide_id in read_predictions(standard_run.fold_folder("default", 0, fold) / "predictions.csv")["slide_id"]
    ]
    assert export(standard_run, tmp_path / "run") == sorted(f"{slide_id}.geojson" for slide_id in tested)
    content = json.loads((tmp_path / f"run/{tested[0]}.geojson").read_text())
    kinds = [one["properties"]["objectType"] for one in content["features"]]
    assert kinds.count("tile") == len(read_features(standard_run.features[tested[0]]).coords)
    assert kinds.count("annotation") > 0
    first = file_digest(tmp_path / "run")
    export(standard_run, tmp_path / "run")
    assert file_digest(tmp_path / "run") == first


def test_a_slide_whose_patches_have_no_known_side_is_left_out_and_told(
    standard_run: ReportSources, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fold = standard_run.fold_folder("default", 0, standard_run.folds[0])
    slide_id = str(read_predictions(fold / "predictions.csv")["slide_id"].iloc[0])
    write_features(tmp_path / "f.zarr", replace(read_features(standard_run.features[slide_id]), tile_width_l0=None))
    with caplog.at_level(logging.WARNING):
        written = export(standard_run, tmp_path / "run", **{slide_id: tmp_path / "f.zarr"})
    assert f"{slide_id}.geojson" not in written
    assert f"slide {slide_id} is left out" in caplog.text
