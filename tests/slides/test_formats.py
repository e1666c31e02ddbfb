"""Formats of scanners and converters, each written here and read back."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from pipeline.slides.reader import SlideReader, open_slide
from tests.slides.scanner_files import write_dicom, write_mrxs, write_scn
from tests.slides.slide_files import jpeg_tile, levels_of, tissue, write_slide, write_svs

LOSSLESS = {"compression": "lzw", "photometric": "rgb"}
SIDE = 64
SCANNED = {(col, row) for col in range(2, 5) for row in range(1, 4)}
"""Camera images (col, row) of the MRXS slide that hold tissue."""


@pytest.fixture
def rgb() -> np.ndarray:
    return tissue(4 * SIDE, 6 * SIDE)


def read(slide: SlideReader, x: int, y: int, width: int, height: int) -> np.ndarray:
    return slide.read_box(x, y, width, height, width_px=width, height_px=height)


def assert_in_place(found: np.ndarray, expected: np.ndarray) -> None:
    """What JPEG leaves is close, and much closer than a shift by one pixel."""
    assert np.abs(found - expected).mean() < 2 < 5 < np.abs(found[:, 1:] - expected[:, :-1]).mean()


def test_aperio_svs(tmp_path: Path) -> None:
    picture = tissue(592, 784)
    write_svs(tmp_path / "slide.svs", picture, mpp=0.499, **LOSSLESS)
    with open_slide(tmp_path / "slide.svs", slide_id="a") as slide:
        assert (slide.vendor, slide.reader, slide.mpp) == ("aperio", "tifffile", 0.499)
        assert [(level.width, level.height, level.downsample) for level in slide.levels] == [
            (784, 592, 1),
            (196, 148, 4),
            (49, 37, 16),
        ]
        assert slide.bounds_l0 == (0, 0, 784, 592)
        np.testing.assert_array_equal(read(slide, 100, 90, 300, 200), picture[90:290, 100:400])


@pytest.mark.parametrize("bigtiff", [False, True])
def test_generic_tiff(tmp_path: Path, rgb: np.ndarray, bigtiff: bool) -> None:
    path = tmp_path / "slide.tif"
    write_slide(path, rgb, mpp=0.25, bigtiff=bigtiff, **LOSSLESS)
    assert path.read_bytes()[2] == (43 if bigtiff else 42)
    with open_slide(path, slide_id="a") as slide:
        assert (slide.vendor, slide.reader, slide.mpp) == ("generic-tiff", "tifffile", pytest.approx(0.25))
        np.testing.assert_array_equal(read(slide, 10, 20, 200, 100), rgb[20:120, 10:210])


def test_leica_scn_lies_within_its_slide(tmp_path: Path) -> None:
    picture = tissue(600, 800)
    write_scn(tmp_path / "slide.scn", picture, mpp=0.5, slide_size=(2000, 3000), corner=(300, 1200))
    with open_slide(tmp_path / "slide.scn", slide_id="a") as slide:
        assert (slide.vendor, slide.reader, slide.mpp) == ("leica", "openslide", 0.5)
        assert (slide.width_l0, slide.height_l0) == (2000, 3000)
        assert slide.bounds_l0 == (300, 1200, 800, 600)
        scanned = read(slide, 300, 1200, 800, 600).astype(int)
        whole = slide.thumbnail(4.0)
    assert_in_place(scanned, picture)
    assert whole.shape == (375, 250, 3)
    outside = np.ones(whole.shape[:2], bool)
    outside[150:225, 37:138] = False
    assert (whole[outside] == 255).all()
    expected = np.asarray(Image.fromarray(picture).resize((100, 75), Image.Resampling.BOX)).astype(int)
    assert np.abs(whole[151:224, 39:137].mean() - expected.mean()) < 3


def test_mrxs_with_parts_not_scanned(tmp_path: Path, rgb: np.ndarray) -> None:
    write_mrxs(tmp_path / "slide.mrxs", rgb, mpp=0.5, side=SIDE, scanned=SCANNED)
    with open_slide(tmp_path / "slide.mrxs", slide_id="a") as slide:
        assert (slide.vendor, slide.reader, slide.mpp) == ("mirax", "openslide", 0.5)
        assert slide.bounds_l0 == (2 * SIDE, SIDE, 3 * SIDE, 3 * SIDE)
        expected = np.full_like(rgb, 255)
        expected[SIDE:, 2 * SIDE : 5 * SIDE] = rgb[SIDE:, 2 * SIDE : 5 * SIDE]
        np.testing.assert_array_equal(read(slide, 0, 0, 6 * SIDE, 4 * SIDE), expected)


def test_dicom(tmp_path: Path, rgb: np.ndarray) -> None:
    with open_slide(write_dicom(tmp_path, rgb, mpp=0.5, side=SIDE), slide_id="a") as slide:
        assert (slide.vendor, slide.reader, slide.mpp) == ("dicom", "openslide", 0.5)
        assert [level.downsample for level in slide.levels] == [1, 2]
        np.testing.assert_array_equal(read(slide, 30, 40, 200, 100), rgb[40:140, 30:230])


def test_hamamatsu_ndpi(tmp_path: Path, rgb: np.ndarray) -> None:
    height, width = rgb.shape[:2]
    tags = [(65420, 3, 1, 1, True), (65421, 11, 1, 20.0, True), (65424, 9, 1, 0, True)]
    layout = {"shape": rgb.shape, "dtype": np.uint8, "rowsperstrip": height, "metadata": None, "extratags": tags}
    tifffile.imwrite(
        tmp_path / "slide.ndpi",
        iter([jpeg_tile(rgb, "ycbcr", "444", quality=97)]),
        photometric="ycbcr",
        compression="jpeg",
        resolution=(20_000, 20_000),
        resolutionunit="CENTIMETER",
        software="NDP.scan",
        **layout,
    )
    with open_slide(tmp_path / "slide.ndpi", slide_id="a") as slide:
        assert (slide.vendor, slide.reader, slide.mpp) == ("hamamatsu", "openslide", 0.5)
        found = read(slide, 0, 0, width, height).astype(int)
    assert_in_place(found, rgb)


def test_ome_tiff_with_levels_in_subifds(tmp_path: Path, rgb: np.ndarray) -> None:
    levels = list(levels_of(rgb, 3))
    tiles = {"tile": (64, 64), "photometric": "rgb", "compression": "adobe_deflate"}
    size = {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    with tifffile.TiffWriter(tmp_path / "slide.ome.tif") as file:
        file.write(levels[0], subifds=2, metadata=size, **tiles)
        for level in levels[1:]:
            file.write(level, subfiletype=1, metadata=None, **tiles)
    with open_slide(tmp_path / "slide.ome.tif", slide_id="a") as slide:
        assert (slide.reader, slide.mpp) == ("tifffile", 0.25)
        np.testing.assert_array_equal(read(slide, 30, 40, 200, 100), rgb[40:140, 30:230])
        assert slide.thumbnail(1.0).shape == (SIDE, 6 * SIDE // 4, 3)


def test_tiled_tiffs_of_other_samples(tmp_path: Path, rgb: np.ndarray) -> None:
    rgb = rgb[:SIDE, :SIDE]
    layout = {"tile": (64, 64), "metadata": None}
    clear = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    clear[:10, :10, 3] = 0
    colours = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "rgba.tif", clear, photometric="rgb", extrasamples=["unassalpha"], **layout)
    tifffile.imwrite(tmp_path / "deep.tif", rgb.astype(np.uint16) * 257, photometric="rgb", **layout)
    tifffile.imwrite(
        tmp_path / "palette.tif", rgb[..., 0], photometric="palette", colormap=colours.astype(np.uint16) * 257, **layout
    )
    tifffile.imwrite(tmp_path / "dot.tif", rgb[:1, :1], photometric="rgb", **layout)
    shown = rgb.copy()
    shown[:10, :10] = 255
    expected = {"rgba": shown, "deep": rgb, "palette": colours.T[rgb[..., 0]], "dot": rgb[:1, :1]}
    for name, pixels in expected.items():
        with open_slide(tmp_path / f"{name}.tif", slide_id="a", mpp=0.5) as slide:
            np.testing.assert_array_equal(read(slide, 0, 0, *pixels.shape[1::-1]), pixels, err_msg=name)


@pytest.mark.parametrize("reader", ["tifffile", "openslide"])
def test_colour_profiles_change_no_pixel(tmp_path: Path, rgb: np.ndarray, reader) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    write_slide(tmp_path / "with.tif", rgb, n_levels=1, extratags=[(34675, 7, len(profile), profile, True)])
    write_slide(tmp_path / "without.tif", rgb, n_levels=1)
    pixels = []
    for name in ("with.tif", "without.tif"):
        with open_slide(tmp_path / name, slide_id="a", reader=reader) as slide:
            pixels.append(read(slide, 0, 0, slide.width_l0, slide.height_l0))
    np.testing.assert_array_equal(*pixels)


@pytest.mark.parametrize("name", ["Färbung 染色 🔬", "a b'c\"d", "ü" * 40])
def test_any_file_name(tmp_path: Path, rgb: np.ndarray, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    write_slide(folder / f"{name}.tif", rgb, **LOSSLESS)
    write_mrxs(folder / f"{name}.mrxs", rgb, mpp=0.5, side=SIDE, scanned=SCANNED)
    for path, reader in ((f"{name}.tif", "auto"), (f"{name}.tif", "openslide"), (f"{name}.mrxs", "auto")):
        with open_slide(folder / path, slide_id="a", reader=reader) as slide:
            np.testing.assert_array_equal(read(slide, 130, 70, 50, 50), rgb[70:120, 130:180])


@pytest.mark.parametrize("kind", ["svs", "mrxs", "dcm"])
def test_links_are_followed_to_the_files_beside_the_slide(tmp_path: Path, rgb: np.ndarray, kind: str) -> None:
    stored, linked = tmp_path / "stored", tmp_path / "linked"
    stored.mkdir()
    linked.mkdir()
    if kind == "svs":
        write_svs(stored / "slide.svs", rgb, n_levels=2, factor=2, **LOSSLESS)
    elif kind == "mrxs":
        write_mrxs(stored / "slide.mrxs", rgb, mpp=0.5, side=SIDE, scanned=SCANNED)
    else:
        shutil.move(write_dicom(stored, rgb, mpp=0.5, side=SIDE), stored / "slide.dcm")
    link = linked / f"other.{kind}"
    link.symlink_to(stored / f"slide.{kind}")
    with open_slide(link, slide_id="a") as slide:
        assert len(slide.levels) == 2
        np.testing.assert_array_equal(read(slide, 130, 70, 50, 50), rgb[70:120, 130:180])
