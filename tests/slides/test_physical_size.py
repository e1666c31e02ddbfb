"""A place in micrometres is found at the same place of the tile whatever the scanner, the level and the resolution."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.slides.reader import open_slide
from tests.slides.slide_files import write_slide, write_svs

SQUARES_UM = [(21.0, 33.0), (95.5, 40.25), (60.0, 111.0), (118.3, 121.9)]
SIDE_UM = 8.0
FIELD_UM = 140.0
TILE_UM = (16.0, 20.0, 120.0)
"""x, y and side of the tile that holds the squares."""


def coverage(n_px: int, mpp: float, from_um: float) -> np.ndarray:
    """Share of each pixel of a row that lies in ``SIDE_UM`` from ``from_um``."""
    edges = np.arange(n_px + 1) * mpp
    inside = np.clip(edges, from_um, from_um + SIDE_UM) - from_um
    return np.diff(inside) / mpp


def drawn(mpp: float) -> np.ndarray:
    """Dark squares on white, each pixel the mean of what it covers: uint8 (h, w, 3)."""
    n_px = round(FIELD_UM / mpp)
    dark = sum(np.outer(coverage(n_px, mpp, y), coverage(n_px, mpp, x)) for x, y in SQUARES_UM)
    return np.repeat(np.rint(255 - 225 * dark).astype(np.uint8)[..., None], 3, axis=2)


def centres_um(tile: np.ndarray, mpp: float) -> np.ndarray:
    """Centre of mass of the darkness around each square, um from the tile's corner."""
    found = []
    for x, y in SQUARES_UM:
        left, top = x - TILE_UM[0] - SIDE_UM / 2, y - TILE_UM[1] - SIDE_UM / 2
        rows, cols = (slice(int(at / mpp), int(np.ceil((at + 2 * SIDE_UM) / mpp))) for at in (top, left))
        dark = 255.0 - tile[rows, cols, 0]
        row, col = (
            np.average(np.arange(n) + 0.5, weights=dark.sum(axis))
            for axis, n in ((1, dark.shape[0]), (0, dark.shape[1]))
        )
        found.append(((cols.start + col) * mpp, (rows.start + row) * mpp))
    return np.array(found)


@pytest.mark.parametrize("mpp", [0.25, 0.2528, 0.265, 0.499, 0.5, 1.0])
@pytest.mark.parametrize("slide_mpp", [0.25, 0.265])
@pytest.mark.parametrize("reader", ["tifffile", "openslide"])
def test_squares_land_where_they_lie(tmp_path: Path, slide_mpp: float, mpp: float, reader) -> None:
    path = tmp_path / "slide.tif"
    write_slide(path, drawn(slide_mpp), mpp=slide_mpp, compression="lzw", photometric="rgb")
    x, y, side = (length / slide_mpp for length in TILE_UM)
    n_px = round(TILE_UM[2] / mpp)
    with open_slide(path, slide_id="a", reader=reader) as slide:
        tile = slide.read_box(x, y, n_px * mpp / slide_mpp, n_px * mpp / slide_mpp, width_px=n_px, height_px=n_px)
    expected = np.array(SQUARES_UM) - TILE_UM[:2] + SIDE_UM / 2
    assert np.abs(centres_um(tile, mpp) - expected).max() < 0.5 * mpp
    assert side == pytest.approx(n_px * mpp / slide_mpp, rel=0.01)


def test_two_scanners_give_the_same_tile(tmp_path: Path) -> None:
    tiles = []
    for slide_mpp in (0.25, 0.265):
        write_slide(tmp_path / "slide.tif", drawn(slide_mpp), mpp=slide_mpp, compression="lzw", photometric="rgb")
        with open_slide(tmp_path / "slide.tif", slide_id="a") as slide:
            x, y, side = (length / slide.mpp for length in TILE_UM)
            tiles.append(slide.read_box(x, y, side, side, width_px=240, height_px=240).astype(int))
    one, other = tiles
    assert one.min() < 60
    differs, of_one_px = np.abs(one - other).mean(), np.abs(one[:, 1:] - one[:, :-1]).mean()
    assert differs < of_one_px / 2


@pytest.mark.parametrize("reader", ["tifffile", "openslide"])
def test_levels_of_rounded_size_do_not_drift(tmp_path: Path, reader) -> None:
    """A quarter of 100,003 px is 25,000 px; OpenSlide's downsample of 4.00006 is 0.4 px off at the end."""
    width, height = 100_003, 16
    rgb = np.full((height, width, 3), 255, np.uint8)
    for x in range(1992, width, 14_000):
        rgb[:, x : x + 8] = 0
    write_svs(tmp_path / "slide.svs", rgb, mpp=0.25, n_levels=2, compression="lzw", photometric="rgb")
    with open_slide(tmp_path / "slide.svs", slide_id="a", reader=reader) as slide:
        for x in range(1992, width, 14_000):
            box = slide.read_box(x - 80, 0, 168, 16, width_px=42, height_px=4)
            dark = 255.0 - box[2, :, 0]
            centre = np.average(np.arange(42) + 0.5, weights=dark)
            assert abs(centre - 21) < 0.2
            assert dark.sum() == pytest.approx(2 * 255, rel=0.02)
