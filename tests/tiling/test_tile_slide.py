import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from pipeline.artefacts.inside_mask import InsideMask
from pipeline.artefacts.tile_ownership import check_single_ownership
from pipeline.artefacts.tiles import QC_COLUMNS, kept_tiles, read_tiles
from pipeline.errors import ConfigError, MissingMppError, SheetError, SlideError, UnreadableRegionError
from pipeline.slides.reader import open_slide
from pipeline.slides.tiles_in_order import iterate_tiles
from pipeline.synthetic.painting.pyramid import truncate, write_pyramid
from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_slide import tile_slide
from tests.slides.slide_files import APERIO, levels_of, write_images

PARAMS = TilingParams(tile_px=128, mpp=0.5, overview_px=400)


def run(slide: Path, out: Path, **overrides: Any) -> Any:
    options: dict[str, Any] = {
        "slide_id": "s1", "mpp": None, "mask_path": None, "params": PARAMS, "on_bad_slide": "stop", "source": "x",
    }  # fmt: skip
    overview = overrides.pop("overview", out.with_suffix(".png"))
    tile_slide(slide, out, overview, **{**options, **overrides})
    return read_tiles(out)


def test_block_of_tissue_keeps_its_tiles(make_slide: Any, tmp_path: Path) -> None:
    table = run(make_slide("a.tif", 640, 768, (128, 256, 512, 512)), tmp_path / "t.parquet")
    kept = kept_tiles(table)
    assert sorted(zip(kept["row"], kept["col"], strict=True)) == [(r, c) for r in (2, 3) for c in (1, 2, 3)]
    assert table.reason is None
    assert len(table.frame) == 5 * 6
    assert table.header["slide_mpp"] == pytest.approx(0.5)
    assert (kept["tissue_fraction"] > 0.9).all()
    assert (tmp_path / "t.png").exists()


def test_same_input_same_bytes_wherever_it_lies(make_slide: Any, tmp_path: Path) -> None:
    slide = make_slide("a.tif", 400, 400, (0, 0, 300, 300))
    moved = tmp_path / "elsewhere" / "a.tif"
    moved.parent.mkdir()
    moved.write_bytes(slide.read_bytes())
    run(slide, tmp_path / "one.parquet")
    run(moved, tmp_path / "two.parquet")
    for suffix in (".parquet", ".png"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("size", "blocks", "reason"),
    [
        ((400, 400), (), "no tissue found"),
        ((100, 300), ((0, 0, 300, 100),), "image of 300 x 100 px at 0.5 um/px is smaller than one tile of 128 px"),
        ((1, 1), (), "image of 1 x 1 px"),
        ((512, 512), ((240, 240, 280, 280),), "no tile reaches the minimum tissue fraction 0.15"),
    ],
)
def test_empty_slides_say_why(
    make_slide: Any, tmp_path: Path, size: tuple[int, int], blocks: tuple[Any, ...], reason: str
) -> None:
    params = TilingParams(tile_px=128, min_region_area_um2=0, overview_px=400)
    table = run(make_slide("a.png", *size, *blocks), tmp_path / "t.parquet", mpp=0.5, params=params)
    assert table.reason is not None
    assert table.reason.startswith(reason)
    assert kept_tiles(table).empty
    with Image.open(tmp_path / "t.png") as picture:
        assert json.loads(picture.text["abignet"])["reason"] == table.reason


def test_physical_tile_does_not_depend_on_the_scanner(tmp_path: Path, make_slide: Any) -> None:
    """The same block, 106 um from the corner and 106 um wide, scanned at 0.25 and 0.265 um/px."""
    means, areas = [], []
    for mpp in (0.25, 0.265):
        edge, end, side = round(106 / mpp), round(212 / mpp), round(318 / mpp)
        slide_path = make_slide(f"{mpp}.tif", side, side, (edge, edge, end, end), mpp=mpp)
        table = run(slide_path, tmp_path / f"{mpp}.parquet")
        assert len(table.frame) == 4 * 4
        np.testing.assert_allclose(table.frame["width_l0"] * mpp, 64.0, rtol=1e-6)
        with open_slide(slide_path, slide_id="s1") as slide:
            tiles = [pixels.mean(axis=(0, 1)) for _, pixels in iterate_tiles(slide, table.frame)]
        means.append(np.array(tiles))
        areas.append(table.frame["tissue_fraction"].sum() * 64**2)
    np.testing.assert_allclose(means[0], means[1], atol=1.5)
    # Smoothing widens the block by less than its SD of 6 um on every side.
    assert 106**2 < areas[0] < 118**2
    assert areas[0] == pytest.approx(areas[1], rel=0.01)


def test_mask_restricts_tiles(make_slide: Any, tmp_path: Path) -> None:
    slide = make_slide("a.tif", 512, 512, (0, 0, 512, 512))
    mask = tmp_path / "m.geojson"
    corners = [[0, 0], [256, 0], [256, 512], [0, 512], [0, 0]]
    mask.write_text(json.dumps({"type": "Polygon", "coordinates": [corners]}))
    table = run(slide, tmp_path / "t.parquet", mask_path=mask)
    assert set(kept_tiles(table)["col"]) == {0, 1}
    assert set(table.frame.loc[~table.frame["kept"], "reason"]) == {"outside the mask"}
    assert "mask" in table.header["provenance"]["upstream"]
    inside = InsideMask.of_header(table.header, "t")
    assert inside is not None
    x = np.array([0.0, 255.0, 257.0, 511.0])
    assert inside.holds(x, np.full(4, 300.0)).tolist() == [True, True, False, False]

    mask.write_text(json.dumps({"type": "Polygon", "coordinates": [[[600, 0], [700, 0], [700, 9]]]}))
    assert run(slide, tmp_path / "t.parquet", mask_path=mask).reason == "no tissue inside the mask"
    mask.write_text("nonsense")
    with pytest.raises(SheetError, match="column `mask`"):
        run(slide, tmp_path / "t.parquet", mask_path=mask, on_bad_slide="exclude")


def test_bad_slide_stops_or_is_excluded(make_slide: Any, tmp_path: Path) -> None:
    slide = make_slide("a.tif", 700, 700, (0, 0, 512, 512))
    truncate(slide)
    with pytest.raises(SlideError, match="slide s1"):
        run(slide, tmp_path / "t.parquet", mpp=0.5)
    assert not (tmp_path / "t.parquet").exists()
    table = run(slide, tmp_path / "t.parquet", mpp=0.5, on_bad_slide="exclude")
    assert table.frame.empty
    assert table.header["slide_mpp"] is None
    assert "slide s1 (a.tif)" in table.reason
    assert str(tmp_path) not in json.dumps(table.header)
    assert str(tmp_path).encode() not in (tmp_path / "t.png").read_bytes()


def test_missing_file_can_be_excluded_but_missing_mpp_cannot(make_slide: Any, tmp_path: Path) -> None:
    assert "no such file" in run(tmp_path / "none.svs", tmp_path / "t.parquet", on_bad_slide="exclude").reason
    with pytest.raises(MissingMppError):
        run(make_slide("a.png", 300, 300), tmp_path / "t.parquet", on_bad_slide="exclude")


@pytest.mark.parametrize(
    ("mpp", "given", "n_told"), [(0.5, None, 0), (0.5, 0.5, 0), (0.6, None, 1), (0.5, 0.4, 1), (5.0, None, 3)]
)
def test_contradictory_statements_of_scale_stand_in_the_header(
    make_slide: Any, tmp_path: Path, mpp: float, given: float | None, n_told: int
) -> None:
    slide = make_slide("a.tif", 300, 300, (0, 0, 300, 300), mpp=mpp)
    assert len(run(slide, tmp_path / "t.parquet", mpp=given).header["cautions"]) == n_told


def test_a_pixel_size_of_no_microscope_is_refused_unless_the_range_is_wider(make_slide: Any, tmp_path: Path) -> None:
    slide = make_slide("a.tif", 300, 300, (0, 0, 300, 300))
    for given in (0.04, 11.0):
        with pytest.raises(ConfigError, match=r"change tiling\.slide_mpp_low"):
            run(slide, tmp_path / "t.parquet", mpp=given, on_bad_slide="exclude")
    wider = TilingParams(tile_px=128, slide_mpp_high=12.0, overview_px=400)
    assert run(slide, tmp_path / "t.parquet", mpp=11.0, params=wider).header["slide_mpp"] == 11.0


def test_without_overview(make_slide: Any, tmp_path: Path) -> None:
    run(make_slide("a.png", 300, 300), tmp_path / "t.parquet", mpp=0.5, overview=None)
    assert not (tmp_path / "t.png").exists()


def test_every_row_not_kept_has_a_reason_and_what_was_not_measured_is_nan(make_slide: Any, tmp_path: Path) -> None:
    slide = make_slide("a.tif", 640, 768, (128, 256, 512, 512))
    table = run(slide, tmp_path / "t.parquet")
    frame = table.frame
    np.testing.assert_array_equal(frame["kept"], frame["reason"] == "")
    has_tissue = frame["tissue_fraction"] >= 0.15
    np.testing.assert_array_equal(frame["qc_fold"].notna(), has_tissue)
    assert frame["qc_pen_blue"].notna().all()
    assert (table.header["reader"], table.header["bounds_l0"]) == ("tifffile", [0, 0, 768, 640])
    assert (table.header["overlap_px"], table.header["n_unreadable"]) == (0, 0)


def sharp_and_faulty(path: Path) -> Path:
    """Four tiles of 256 px of painted tissue: as it is, blurred, under black pen, brown."""
    rng = np.random.default_rng(0)
    rgb = paint_tissue(TissueSpec(), width_px=1024, height_px=256, mpp=0.5, rng=rng).rgb.astype(np.float32)
    rgb[:, 256:512] = ndimage.gaussian_filter(rgb[:, 256:512], (8, 8, 0))
    rgb[40:, 552:768] *= np.array((75, 72, 76)) / 255
    rgb[:, 768:] *= np.array((200, 160, 70)) / 255
    write_pyramid(path, rgb.astype(np.uint8), 0.5)
    return path


def test_each_fault_drops_its_tile(tmp_path: Path) -> None:
    slide = sharp_and_faulty(tmp_path / "a.tif")
    frame = run(slide, tmp_path / "t.parquet", params=TilingParams(tile_px=256, overview_px=400)).frame
    words = [reason.split(" ")[0] for reason in frame["reason"]]
    assert words == ["", "out", "pen", "colours"]
    off = {"qc_min_focus": 0.0, "qc_max_pen": 1.0, "qc_max_fold": 1.0, "qc_max_off_stain": 1.0}
    frame = run(slide, tmp_path / "t.parquet", params=TilingParams(tile_px=256, overview_px=400, **off)).frame
    assert frame["kept"].all()
    assert frame[list(QC_COLUMNS)].isna().all(axis=None)


def test_a_slide_of_faulty_tiles_alone_says_how_many_of_each(tmp_path: Path) -> None:
    params = TilingParams(tile_px=256, overview_px=400, qc_min_focus=1.0)
    table = run(sharp_and_faulty(tmp_path / "a.tif"), tmp_path / "t.parquet", params=params)
    assert table.reason == "no tile is fit for use: 1 pen, 1 off-stain, 2 out of focus"


def test_unreadable_tiles_are_dropped_with_their_place_or_fail_the_slide(damaged_slide: Path, tmp_path: Path) -> None:
    """Focus is read at level 0, where the damage is; the mask is not."""
    params = TilingParams(tile_px=256, overview_px=400, qc_focus_mpp=0.5)
    table = run(damaged_slide, tmp_path / "t.parquet", params=params, on_bad_tile="exclude")
    frame = table.frame
    assert frame.loc[~frame["kept"], "tile_id"].tolist() == [10]
    assert frame.loc[10, "reason"] == "unreadable at level-0 (512, 512)"
    assert table.header["n_unreadable"] == 1
    with pytest.raises(UnreadableRegionError, match=r"slide s1 .*\(512, 512\)"):
        run(damaged_slide, tmp_path / "u.parquet", params=params)
    assert not (tmp_path / "u.parquet").exists()


def test_unreadable_parts_of_the_mask_drop_the_tiles_they_touch(damaged_slide: Path, tmp_path: Path) -> None:
    params = TilingParams(tile_px=384, mask_mpp=0.5, overview_px=400, edge="pad")
    frame = run(damaged_slide, tmp_path / "t.parquet", params=params, on_bad_tile="exclude").frame
    # Damage from 512 to 768 lies in the second tile of both axes alone, 384 to 768.
    assert frame["reason"].str.startswith("unreadable").tolist() == [tile == 4 for tile in range(9)]


def test_sampled_overlapping_and_shifted_grids(make_slide: Any, tmp_path: Path) -> None:
    slide = make_slide("a.tif", 600, 600, (0, 0, 600, 600))
    params = TilingParams(tile_px=128, overlap_px=64, edge="shift", max_tiles=9, seed=5, overview_px=400)
    table = run(slide, tmp_path / "t.parquet", params=params)
    assert len(table.frame) == 9 * 9
    assert table.frame["x_l0"].max() == 600 - 128
    assert table.header["overlap_px"] == 64
    assert table.frame["kept"].sum() == 9
    assert set(table.frame.loc[~table.frame["kept"], "reason"]) == {"not in the sample of 9 tiles"}
    with pytest.raises(ConfigError, match="overlap"):
        check_single_ownership(table.frame, "s1")


def test_a_slide_smaller_than_a_shifted_tile_is_padded_and_says_so(
    make_slide: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slide = make_slide("a.tif", 100, 300, (0, 0, 300, 100))
    params = TilingParams(tile_px=128, edge="shift", overview_px=400)
    with caplog.at_level("WARNING"):
        table = run(slide, tmp_path / "t.parquet", params=params)
    assert table.frame[["x_l0", "y_l0"]].to_numpy().tolist() == [[0, 0], [128, 0], [172, 0]]
    assert [caution.split(" of ")[0] for caution in table.header["cautions"]] == ["smaller than a tile"]
    assert "s1: smaller than a tile of 128 level-0 px" in caplog.text


@pytest.fixture(scope="module")
def half_tissue() -> np.ndarray:
    """A square slide, tissue in the upper left quarter."""
    rgb = np.full((1024, 1024, 3), 246, np.uint8)
    rng = np.random.default_rng(0)
    rgb[:512, :512] = paint_tissue(TissueSpec(), width_px=512, height_px=512, mpp=0.5, rng=rng).rgb
    return rgb


@pytest.mark.parametrize("colour", [(250, 250, 250), (230, 120, 180), (20, 20, 20)])
@pytest.mark.parametrize("size", [(64, 128), (128, 128), (60, 200)])
@pytest.mark.parametrize("reader", ["auto", "openslide"])
def test_a_label_stored_like_a_level_changes_no_tile_and_is_a_caution(
    tmp_path: Path, half_tissue: np.ndarray, size: tuple[int, int], colour, reader
) -> None:
    levels, label = list(levels_of(half_tissue, 2)), np.full((*size, 3), colour, np.uint8)
    svs = APERIO.format(width=1024, height=1024, mpp=0.5)
    write_images(tmp_path / "clean.tif", levels)
    write_images(tmp_path / "label.tif", [*levels, label])
    write_images(tmp_path / "label.svs", [*levels, label], description=svs)
    clean = run(tmp_path / "clean.tif", tmp_path / "clean.parquet", reader=reader)
    assert int(clean.frame["kept"].sum()) == 16
    assert clean.header["cautions"] == []
    for name in ("label.tif", "label.svs"):
        table = run(tmp_path / name, tmp_path / f"{name}.parquet", reader=reader)
        pd.testing.assert_frame_equal(table.frame, clean.frame)
        assert f"an image of {size[1]} x {size[0]} px is stored like a level" in table.header["cautions"][0]
    pictures = [np.asarray(Image.open(tmp_path / name)) for name in ("clean.png", "label.tif.png")]
    np.testing.assert_array_equal(*pictures)


@pytest.mark.parametrize("kind", ["grey samples", "grey as RGB", "grey JPEG", "grey of 16 bits"])
def test_a_grey_slide_says_that_it_is_grey(tmp_path: Path, half_tissue: np.ndarray, kind: str) -> None:
    grey = np.asarray(Image.fromarray(half_tissue).convert("L"))
    path = tmp_path / ("slide.jpg" if kind == "grey JPEG" else "slide.tif")
    if kind == "grey JPEG":
        Image.fromarray(grey).save(path, quality=90)
    else:
        samples = {
            "grey as RGB": np.repeat(grey[..., None], 3, axis=2),
            "grey of 16 bits": grey.astype(np.uint16) * 257,
        }
        colour = "rgb" if kind == "grey as RGB" else "minisblack"
        tifffile.imwrite(path, samples.get(kind, grey), tile=(128, 128), photometric=colour, metadata=None)
    table = run(path, tmp_path / "t.parquet", mpp=0.5)
    assert not table.frame["kept"].any()
    assert table.reason == "the picture is grey, and tissue is told from glass and ink by its colours"


@pytest.mark.parametrize(("shift", "least", "most"), [(0, 1, 1), (4, 14, 16), (6, 59, 63)])
def test_samples_that_fill_part_of_their_range_are_the_reason(
    tmp_path: Path, half_tissue: np.ndarray, shift: int, least: int, most: int
) -> None:
    samples = half_tissue.astype(np.uint16) << shift
    tifffile.imwrite(tmp_path / "slide.tif", samples, tile=(128, 128), photometric="rgb", metadata=None)
    table = run(tmp_path / "slide.tif", tmp_path / "t.parquet", mpp=0.5)
    found = re.match(r"the picture is black, at most (\d+) of 255", table.reason or "")
    assert found is not None
    assert least <= int(found[1]) <= most
    assert "16-bit samples reach at most" in table.header["cautions"][0]


def test_transparent_parts_are_no_tissue(tmp_path: Path, half_tissue: np.ndarray) -> None:
    """The tissue's lower half is transparent."""
    alpha = np.full((1024, 1024, 1), 255, np.uint8)
    alpha[256:512] = 0
    layout = {"photometric": "rgb", "extrasamples": ["unassalpha"], "metadata": None}
    tables = []
    for name, storage in (("tiles", {"tile": (128, 128)}), ("strips", {"rowsperstrip": 64})):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.dstack([half_tissue, alpha]), **layout, **storage)
        tables.append(run(tmp_path / f"{name}.tif", tmp_path / f"{name}.parquet", mpp=0.5).frame)
    assert sorted(tables[0].loc[tables[0]["kept"], "row"].unique()) == [0, 1]
    pd.testing.assert_frame_equal(*tables)
