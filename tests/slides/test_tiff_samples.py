"""Samples of every kind: the same colours from tiles, strips and image files, or an error that names them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.errors import SlideError
from pipeline.slides.reader import SlideReader, open_slide
from tests.slides.slide_files import tissue

SIDE = 150
LAYOUTS: dict[str, dict[str, Any]] = {
    "tiles": {"tile": (64, 64)},
    "strips": {"rowsperstrip": 16},
    "deflate": {"tile": (64, 64), "compression": "deflate"},
}


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    picture = tissue(SIDE, SIDE)
    picture[:20] = 255
    return picture


def whole(slide: SlideReader) -> np.ndarray:
    return slide.read_box(0, 0, slide.width_l0, slide.height_l0, width_px=slide.width_l0, height_px=slide.height_l0)


def read(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    with open_slide(path, slide_id="s1", mpp=0.5) as slide:
        return whole(slide), slide.cautions


def write(path: Path, samples: np.ndarray, layout: dict[str, Any], **settings: Any) -> Path:
    tifffile.imwrite(path, samples, **{"photometric": "rgb", "metadata": None, **layout, **settings})
    return path


def states(tag: int, value: float, kind: int = 3) -> dict[str, Any]:
    """Extra tags that state a largest value: 281 MaxSampleValue, 341 SMaxSampleValue; kind 3 is uint16, 11 float32."""
    return {"extratags": [(tag, kind, 3, (value,) * 3, True)]}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("tag", [281, 341])
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_bits_within_16_are_scaled_by_the_maximum_that_the_file_states(
    tmp_path: Path, rgb: np.ndarray, layout, tag: int, bits: int
) -> None:
    full = 2**bits - 1
    samples = np.rint(rgb / 255 * full).astype(np.uint16)
    found, cautions = read(write(tmp_path / "a.tif", samples, layout, **states(tag, full)))
    np.testing.assert_array_equal(found, rgb)
    assert cautions == ()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("bits", [8, 12])
def test_bits_within_16_are_scaled_by_omes_significant_bits(tmp_path: Path, rgb: np.ndarray, layout, bits: int) -> None:
    samples = np.rint(rgb / 255 * (2**bits - 1)).astype(np.uint16)
    words = {"axes": "YXS", "SignificantBits": bits}
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, samples, photometric="rgb", metadata=words, **layout)
    with tifffile.TiffFile(path, mode="r+b") as file:
        stated = file.ome_metadata.replace("<Pixels ", f'<Pixels SignificantBits="{bits}" ')
        if "SignificantBits" not in file.ome_metadata:
            file.pages[0].tags["ImageDescription"].overwrite(stated)
    found, cautions = read(path)
    np.testing.assert_array_equal(found, rgb)
    assert cautions == ()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(("shift", "most"), [(4, "4,080"), (0, "255"), (2, "1,020")])
def test_a_range_that_no_file_states_is_a_caution(
    tmp_path: Path, rgb: np.ndarray, layout, shift: int, most: str
) -> None:
    samples = rgb.astype(np.uint16) << shift
    found, cautions = read(write(tmp_path / "a.tif", samples, layout))
    np.testing.assert_array_equal(found, np.rint(samples / 257))
    assert len(cautions) == 1
    assert f"16-bit samples reach at most {most} of 65,535" in cautions[0]
    assert f"if they hold {8 + shift} bits, state it" in cautions[0]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("settings", [{}, states(281, 65_535), states(281, 65_000)], ids=["none", "full", "statistic"])
def test_all_of_16_bits_is_as_it_is(tmp_path: Path, rgb: np.ndarray, layout, settings) -> None:
    found, cautions = read(write(tmp_path / "a.tif", rgb.astype(np.uint16) * 257, layout, **settings))
    np.testing.assert_array_equal(found, rgb)
    assert cautions == ()


def test_a_stated_maximum_that_samples_exceed_is_not_believed(tmp_path: Path, rgb: np.ndarray) -> None:
    path = write(tmp_path / "a.tif", rgb.astype(np.uint16) * 257, LAYOUTS["tiles"], **states(341, 255))
    found, cautions = read(path)
    np.testing.assert_array_equal(found, rgb)
    assert cautions == ("the file states 255 as full brightness and samples reach 65,535; 65,535 is taken",)


def test_a_maximum_stated_of_8_bits_is_a_statistic(tmp_path: Path, rgb: np.ndarray) -> None:
    found, cautions = read(write(tmp_path / "a.tif", rgb, LAYOUTS["strips"], **states(281, 200)))
    np.testing.assert_array_equal(found, rgb)
    assert cautions == ()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(
    ("dtype", "factor", "words"),
    [
        (np.float32, 1 / 255, "float32, from 0.* to 1 where"),
        (np.float32, 1, "float32, from .* to 255 where"),
        (np.float64, 1 / 255, "float64"),
        (np.int16, 1, "int16, from .* to 255 where"),
        (np.int32, 1, "int32"),
        (np.uint32, 1, "uint32, from .* to 255 where"),
    ],
)
def test_samples_of_no_known_range_are_refused_by_name(tmp_path: Path, rgb, layout, dtype, factor, words: str) -> None:
    samples = (rgb.astype(np.float64) * factor).astype(dtype)
    path = write(tmp_path / "a.tif", samples, layout)
    match = rf"slide s1 .*its samples are {words}.*expected unsigned integers of 8 or 16 bits.*save them as uint8"
    with pytest.raises(SlideError, match=match):
        read(path)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(
    ("dtype", "full", "kind"), [(np.float32, 1.0, 11), (np.float32, 255.0, 11), (np.int16, 255, 3)]
)
def test_any_samples_are_scaled_by_a_stated_maximum(tmp_path: Path, rgb, layout, dtype, full: float, kind: int) -> None:
    samples = (rgb.astype(np.float64) / 255 * full).astype(dtype)
    found, cautions = read(write(tmp_path / "a.tif", samples, layout, **states(341, full, kind)))
    np.testing.assert_array_equal(found, rgb)
    assert cautions == ()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.bool_])
def test_grey_levels_are_shown_and_a_caution(tmp_path: Path, rgb: np.ndarray, layout, photometric: str, dtype) -> None:
    grey = rgb[..., 0]
    if dtype == np.bool_:
        grey = np.where(grey > 128, 255, 0).astype(np.uint8)
    shown = 255 - grey if photometric == "miniswhite" else grey
    samples = {np.uint8: shown, np.uint16: shown.astype(np.uint16) * 257, np.bool_: shown > 0}[dtype]
    found, cautions = read(write(tmp_path / "a.tif", samples, layout, photometric=photometric))
    np.testing.assert_array_equal(found, np.repeat(grey[..., None], 3, axis=2))
    assert cautions == ("pixels are grey levels, and tissue, ink and stains are told by colour",)


@pytest.mark.parametrize("mode", ["L", "LA", "1", "I;16"])
def test_grey_image_files_are_a_caution_too(tmp_path: Path, rgb: np.ndarray, mode: str) -> None:
    grey = Image.fromarray(rgb).convert("L")
    picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    picture.save(tmp_path / "a.png")
    found, cautions = read(tmp_path / "a.png")
    assert cautions == ("pixels are grey levels, and tissue, ink and stains are told by colour",)
    if mode != "1":
        np.testing.assert_array_equal(found[..., 1], np.asarray(grey))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(("dtype", "factor"), [(np.uint8, 1), (np.uint16, 257)])
@pytest.mark.parametrize("grey", [False, True])
def test_what_is_transparent_is_white(tmp_path: Path, rgb: np.ndarray, layout, dtype, factor: int, grey: bool) -> None:
    colours = rgb[..., :1] if grey else rgb
    alpha = np.full((SIDE, SIDE, 1), 255, np.uint8)
    alpha[40:90, 30:] = 0
    expected = np.where(alpha == 0, 255, np.broadcast_to(colours, rgb.shape))
    for kind in ("unassalpha", "assocalpha"):
        stored = np.where(alpha == 0, 0, colours) if kind == "assocalpha" else colours
        samples = np.dstack([stored, alpha]).astype(dtype) * dtype(factor)
        settings = {"photometric": "minisblack" if grey else "rgb", "extrasamples": [kind]}
        found, _ = read(write(tmp_path / "a.tif", samples, layout, **settings))
        np.testing.assert_array_equal(found, expected, err_msg=kind)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("n", [1, 2])
def test_samples_that_are_no_transparency_are_left_out(tmp_path: Path, rgb: np.ndarray, layout, n: int) -> None:
    samples = np.dstack([rgb, *[np.zeros((SIDE, SIDE), np.uint8)] * n])
    path = write(tmp_path / "a.tif", samples, layout, extrasamples=["unspecified"] * n)
    found, cautions = read(path)
    np.testing.assert_array_equal(found, rgb)
    assert cautions == (f"{n} further sample{'s' * (n > 1)} a pixel that no transparency is left out",)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_inks_are_refused(tmp_path: Path, rgb: np.ndarray, layout) -> None:
    path = write(tmp_path / "a.tif", np.dstack([255 - rgb, rgb[..., 0]]), layout, photometric="separated")
    with pytest.raises(SlideError, match=r"slide s1 .*its samples are inks \(CMYK\).*Convert it to RGB"):
        read(path)


def test_an_image_file_of_inks_is_refused(tmp_path: Path, rgb: np.ndarray) -> None:
    Image.fromarray(rgb).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(SlideError, match=r"inks \(CMYK\)"):
        read(tmp_path / "a.jpg")


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_planar_samples(tmp_path: Path, rgb: np.ndarray, layout, dtype) -> None:
    samples = np.moveaxis(rgb.astype(dtype) * dtype(257 if dtype == np.uint16 else 1), 2, 0)
    found, cautions = read(write(tmp_path / "a.tif", samples, layout, planarconfig="separate"))
    np.testing.assert_array_equal(found, rgb)
    assert cautions == ()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_planar_samples_of_a_stated_range(tmp_path: Path, rgb: np.ndarray, layout) -> None:
    samples = np.moveaxis(rgb.astype(np.uint16) * 16, 2, 0)
    found, _ = read(write(tmp_path / "a.tif", samples, layout, planarconfig="separate", **states(341, 4080)))
    np.testing.assert_array_equal(found, rgb)


def test_ycbcr_without_jpeg_is_openslides_or_refused(tmp_path: Path, rgb: np.ndarray) -> None:
    samples = np.asarray(Image.fromarray(rgb).convert("YCbCr"))
    found, _ = read(write(tmp_path / "tiles.tif", samples, LAYOUTS["tiles"], photometric="ycbcr"))
    assert np.abs(found.astype(int) - rgb).max() <= 4
    with pytest.raises(SlideError, match="YCbCr without JPEG"):
        read(write(tmp_path / "strips.tif", samples, LAYOUTS["strips"], photometric="ycbcr"))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_jpeg_in_ycbcr_is_rgb_from_tiles_and_strips(tmp_path: Path, rgb: np.ndarray, layout) -> None:
    # Written as RGB, stored as YCbCr.
    path = write(tmp_path / "a.tif", rgb, layout, compression="jpeg", compressionargs={"level": 97})
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].photometric == tifffile.PHOTOMETRIC.YCBCR
    found, _ = read(path)
    assert np.abs(found.astype(int) - rgb).mean() < 5
