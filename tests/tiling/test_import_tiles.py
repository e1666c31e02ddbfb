from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pipeline.artefacts.tile_ownership import check_single_ownership
from pipeline.artefacts.tiles import QC_COLUMNS, kept_tiles, read_tiles
from pipeline.errors import ConfigError, ImportedFileError, SlideError
from pipeline.slides.slide_input import SlideInput
from pipeline.synthetic.painting.pyramid import truncate
from pipeline.tiling.import_tiles import import_tiles
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_table.tiling_job import TilingJob


def coords_file(path: Path, corners: list[tuple[int, int]], **attributes: Any) -> Path:
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("coords", data=np.array(corners, np.int64).reshape(-1, 2))
        dataset.attrs.update({"patch_size": 128, "patch_size_level0": 256, **attributes})
    return path


def run(slide: Path, coords: Path, out: Path, **overrides: Any) -> Any:
    params = overrides.pop("params", TilingParams(overview_px=400))
    slide_input = SlideInput("s1", slide, **overrides)
    import_tiles(coords, TilingJob(slide_input, out, out.with_suffix(".png"), params, "x"))
    return read_tiles(out)


def test_tiles_are_measured_kept_and_in_reading_order(make_slide: Any, tmp_path: Path) -> None:
    slide = make_slide("a.tif", 1024, 1024, (0, 0, 512, 1024))
    coords = coords_file(tmp_path / "c.h5", [(600, 300), (0, 300), (600, 10), (128, 300)])
    table = run(slide, coords, tmp_path / "t.parquet")
    frame = table.frame
    np.testing.assert_array_equal(frame[["x_l0", "y_l0"]], [[600, 10], [0, 300], [128, 300], [600, 300]])
    np.testing.assert_array_equal(frame[["row", "col"]], [[0, 2], [1, 0], [1, 1], [1, 2]])
    assert frame["tile_id"].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(frame["width_l0"], 256)
    np.testing.assert_allclose(frame["mpp"], 1.0)
    assert (frame["tile_px"] == 128).all()
    np.testing.assert_allclose(frame["tissue_fraction"], [0, 1, 1, 0], atol=0.02)
    # Tiles without tissue are kept too: whoever chose them wanted them.
    assert frame["kept"].all()
    assert frame[[name for name in QC_COLUMNS if name != "qc_focus"]].notna().all(axis=None)
    assert table.reason is None
    assert table.header["provenance"]["params"]["mpp"] == pytest.approx(1.0)
    assert set(table.header["provenance"]["upstream"]) == {"slide", "coords"}
    assert (tmp_path / "t.png").exists()


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({}, []),
        ({"target_mpp": 1.0, "level0_mpp": 0.5, "level0_magnification": 20, "target_magnification": 10}, []),
        ({"target_mpp": 0.25}, ["tiles of 0.25 um/px"]),
        ({"level0_mpp": 0.25}, ["level 0 of 0.25 um/px"]),
        ({"level0_magnification": 80, "target_magnification": 40}, ["a magnification of 80"]),
        ({"level0_width": 300, "level0_height": 300}, ["a slide of 300 x 300 px, this one has 600 x 400"]),
        ({"patch_size": 256, "patch_size_level0": 64}, ["magnified 4 times"]),
    ],
)
def test_coordinates_that_contradict_their_slide_are_told(
    make_slide: Any, tmp_path: Path, stated: dict[str, Any], told: list[str]
) -> None:
    slide = make_slide("a.tif", 400, 600, (0, 0, 600, 400))
    cautions = run(slide, coords_file(tmp_path / "c.h5", [(0, 0)], **stated), tmp_path / "t.parquet").header["cautions"]
    assert [words in caution for words, caution in zip(told, cautions, strict=True)] == [True] * len(told)


def test_overlapping_tiles_come_in_but_are_not_owned_once(make_slide: Any, tmp_path: Path) -> None:
    slide = make_slide("a.tif", 600, 600, (0, 0, 600, 600))
    coords = coords_file(tmp_path / "c.h5", [(0, 0), (128, 0), (256, 0)], overlap=64)
    table = run(slide, coords, tmp_path / "t.parquet")
    assert table.header["overlap_px"] == 64
    with pytest.raises(ConfigError, match="slide s1: tiles 0 and 1 overlap by 128"):
        check_single_ownership(kept_tiles(table), "s1")


def test_tiles_beyond_the_slide_say_so(make_slide: Any, tmp_path: Path) -> None:
    slide = make_slide("a.tif", 600, 600, (0, 0, 600, 600))
    coords = coords_file(tmp_path / "c.h5", [(0, 0), (500, 0), (600, 0), (0, 700), (-300, 0)])
    frame = run(slide, coords, tmp_path / "t.parquet").frame
    on_slide = frame["x_l0"].between(0, 599) & (frame["y_l0"] < 600)
    np.testing.assert_array_equal(frame["kept"], on_slide)
    assert set(frame.loc[~on_slide, "reason"]) == {"beyond the slide"}


def test_unreadable_tiles_are_dropped_or_fail_the_slide(damaged_slide: Path, tmp_path: Path) -> None:
    coords = coords_file(tmp_path / "c.h5", [(0, 0), (512, 512)], patch_size=512, patch_size_level0=256)
    params = TilingParams(mask_mpp=0.5, overview_px=400)
    table = run(damaged_slide, coords, tmp_path / "t.parquet", params=params, on_bad_tile="exclude")
    assert table.frame["reason"].tolist() == ["", "unreadable at level-0 (512, 512)"]
    assert table.header["n_unreadable"] == 1
    with pytest.raises(SlideError, match="slide s1"):
        run(damaged_slide, coords, tmp_path / "u.parquet", params=params)


def test_no_tile_left_is_an_empty_table_with_its_reason(make_slide: Any, tmp_path: Path) -> None:
    slide = make_slide("a.tif", 300, 300)
    none = coords_file(tmp_path / "c.h5", [])
    assert run(slide, none, tmp_path / "t.parquet").reason == "the coordinates file holds no tile"
    beyond = coords_file(tmp_path / "d.h5", [(900, 0)])
    assert run(slide, beyond, tmp_path / "t.parquet").reason == "no imported tile can be used: 1 beyond the slide"


def test_a_bad_slide_is_excluded(make_slide: Any, tmp_path: Path) -> None:
    slide = make_slide("a.tif", 700, 700, (0, 0, 512, 512))
    truncate(slide)
    coords = coords_file(tmp_path / "c.h5", [(0, 0)])
    table = run(slide, coords, tmp_path / "t.parquet", mpp=0.5, on_bad_slide="exclude")
    assert table.frame.empty
    assert "slide s1 (a.tif)" in table.reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.write_text("nonsense"), "c.h5: expected an HDF5 file of TRIDENT or CLAM"),
        (lambda path: coords_file(path, [(0, 0), (0, 0)]), "c.h5: expected each tile once"),
        (lambda path: coords_file(path, [(0, 0)], patch_size="large"), "c.h5: expected a number in attribute"),
    ],
)
def test_coordinates_that_cannot_be_used_are_a_bad_slide(
    make_slide: Any, tmp_path: Path, change: Any, words: str
) -> None:
    slide = make_slide("a.tif", 700, 700, (0, 0, 512, 512))
    coords = tmp_path / "c.h5"
    change(coords)
    with pytest.raises(ImportedFileError, match=words):
        run(slide, coords, tmp_path / "t.parquet", mpp=0.5)
    assert not (tmp_path / "t.parquet").exists()
    table = run(slide, coords, tmp_path / "t.parquet", mpp=0.5, on_bad_slide="exclude")
    assert table.frame.empty
    assert table.reason.startswith(words)
    assert (tmp_path / "t.png").exists()


def test_tiles_beyond_the_slide_are_a_caution(make_slide: Any, tmp_path: Path) -> None:
    slide = make_slide("a.tif", 600, 600, (0, 0, 600, 600))
    coords = coords_file(tmp_path / "c.h5", [(0, 0), (700, 0)])
    (caution,) = run(slide, coords, tmp_path / "t.parquet").header["cautions"]
    assert caution == "1 of 2 imported tiles lie beyond the slide and are left out"


def test_same_input_same_bytes(make_slide: Any, tmp_path: Path) -> None:
    slide = make_slide("a.tif", 600, 600, (0, 0, 600, 300))
    coords = coords_file(tmp_path / "c.h5", [(0, 0), (300, 200)])
    for name in ("one", "two"):
        run(slide, coords, tmp_path / f"{name}.parquet")
    for suffix in (".parquet", ".png"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
