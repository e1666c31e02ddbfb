from pathlib import Path

import pytest

from pipeline import provenance
from pipeline.artefacts.fingerprint_cache import CACHE_NAME, FingerprintCache
from pipeline.errors import ArtefactError
from pipeline.viewer.results.results_folder import ResultsFolder
from tests.report.slide_tables import tile_frame, write_tile_table


def test_slides_are_found_where_the_workflow_read_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slide = tmp_path / "elsewhere/picture.png"
    slide.parent.mkdir()
    slide.write_bytes(b"pixels")
    fingerprint = FingerprintCache(tmp_path / "out" / CACHE_NAME).of(slide)
    made = provenance.record(params={}, source="0", upstream={"slide": fingerprint})
    monkeypatch.setattr("tests.report.slide_tables.MADE", made)
    write_tile_table(tmp_path / "out/tiles/a.parquet", tile_frame([True] * 25), "a", None)
    results = ResultsFolder(tmp_path / "out")
    assert results.slides == ("a",)
    assert results.picture("a") == slide
    slide.unlink()
    assert results.picture("a") is None


def test_a_folder_without_results_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"expected a results folder with tiles/ or features/ in it, found neither"):
        ResultsFolder(tmp_path)


def test_models_of_a_slide_are_those_that_tested_it(outdir: Path) -> None:
    results = ResultsFolder(outdir)
    for slide_id in ("s00", "s03"):
        assert [(model.method, model.seed) for model in results.models[slide_id]] == [("default", 0), ("mean_pool", 0)]
    (final,) = results.models["u00"]
    assert (final.seed, final.run) == (None, "run")
    assert final.label == ""


def test_a_name_that_is_no_slide_has_no_file(outdir: Path) -> None:
    with pytest.raises(KeyError):
        ResultsFolder(outdir).artefact("../slides", "tiles", ".csv")
