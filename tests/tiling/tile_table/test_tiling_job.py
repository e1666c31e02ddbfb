from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.artefacts.tiles import read_tiles
from pipeline.errors import OnBadSlide, SlideError
from pipeline.slides.reader import SlideReader
from pipeline.slides.slide_input import SlideInput
from pipeline.slides.tiff_samples import GREY
from pipeline.tiling.grid.tile_grid import SlideSize, make_grid
from pipeline.tiling.grid.tile_rejection import decided
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_table.slide_map import SlideMap, unmeasured
from pipeline.tiling.tile_table.tiling_job import TiledSlide, TilingJob

PARAMS = TilingParams(tile_px=100, overview_px=200)


def one_tile(slide: SlideReader) -> TiledSlide:
    size = SlideSize(slide.width_l0, slide.height_l0)
    tiles = decided(unmeasured(make_grid(size, slide.mpp, PARAMS)))
    return TiledSlide(tiles, SlideMap(size, np.ones((4, 4), bool)), PARAMS, None)


def job(slide: Path, out: Path, on_bad_slide: OnBadSlide = "stop") -> TilingJob:
    slide_input = SlideInput("s1", slide, 0.5, on_bad_slide=on_bad_slide)
    return TilingJob(slide_input, out, out.with_suffix(".png"), PARAMS, "x")


def upstream(slide: Path, out: Path, **inputs: Path) -> Any:
    job(slide, out).run(one_tile, inputs)
    return read_tiles(out).header["provenance"]["upstream"]


def test_inputs_are_recorded_by_what_they_hold(make_slide: Any, tmp_path: Path) -> None:
    slide, other = make_slide("a.png", 100, 100), tmp_path / "m.txt"
    other.write_text("one")
    first = upstream(slide, tmp_path / "t.parquet", mask=other)
    assert set(first) == {"slide", "mask"}
    other.write_text("two")
    second = upstream(slide, tmp_path / "t.parquet", mask=other)
    assert (second["slide"], second["mask"] != first["mask"]) == (first["slide"], True)
    make_slide("a.png", 100, 100, (0, 0, 50, 50))
    assert upstream(slide, tmp_path / "t.parquet")["slide"] != first["slide"]


def failing(slide: SlideReader) -> TiledSlide:
    raise SlideError(f"slide {slide.slide_id} ({slide.path}): broken")


def test_a_failing_slide_writes_nothing_or_an_empty_table_with_the_files_name(make_slide: Any, tmp_path: Path) -> None:
    slide, out = make_slide("a.png", 100, 100), tmp_path / "t.parquet"
    with pytest.raises(SlideError):
        job(slide, out).run(failing, {})
    assert not out.exists()
    job(slide, out, "exclude").run(failing, {})
    assert read_tiles(out).reason == "slide s1 (a.png): broken"
    assert out.with_suffix(".png").exists()


def test_cautions_of_file_and_tiling_are_logged_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.new("L", (100, 100), 200).save(tmp_path / "a.png")
    out = tmp_path / "t.parquet"
    with caplog.at_level("WARNING"):
        job(tmp_path / "a.png", out).run(lambda slide: replace(one_tile(slide), cautions=("odd grid",)), {})
    assert read_tiles(out).header["cautions"] == [GREY, "odd grid"]
    assert [record.getMessage() for record in caplog.records] == [f"s1: {GREY}", "s1: odd grid"]


def test_a_slide_as_expected_has_none(make_slide: Any, tmp_path: Path) -> None:
    job(make_slide("a.png", 100, 100), tmp_path / "t.parquet").run(one_tile, {})
    assert read_tiles(tmp_path / "t.parquet").header["cautions"] == []


def test_other_errors_are_never_excluded(make_slide: Any, tmp_path: Path) -> None:
    def defect(_: SlideReader) -> TiledSlide:
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        job(make_slide("a.png", 100, 100), tmp_path / "t.parquet", "exclude").run(defect, {})
