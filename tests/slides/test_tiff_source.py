import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from pipeline.errors import ConfigError
from pipeline.slides.openslide_source import OpenSlideSource
from pipeline.slides.reader import open_slide
from pipeline.slides.source import UnreadablePixelsError
from pipeline.slides.stored_tiles import CACHE_BYTES
from pipeline.slides.tiff_source import DIRECT, TiffSource
from tests.slides.slide_files import call_rgb, jpeg_tile, tissue, write_slide, write_svs

KINDS = [
    {"photometric": "ycbcr", "subsampling": "420", "tile": 256},
    {"photometric": "ycbcr", "subsampling": "420", "tile": 240, "tables": True},
    {"photometric": "ycbcr", "subsampling": "422", "tile": 512},
    {"photometric": "ycbcr", "subsampling": "444", "tile": 240},
    {"photometric": "rgb", "tile": 256},
    {"photometric": "rgb", "tile": 240, "tables": True},
    {"photometric": "ycbcr", "bigtiff": True},
    *(
        {"photometric": "rgb", "compression": compression, "predictor": predictor, "tile": side}
        for compression, predictor, side in (
            ("none", False, 256),
            ("lzw", False, 512),
            ("lzw", True, 256),
            ("adobe_deflate", False, 240),
            ("adobe_deflate", True, 256),
            ("deflate", False, 256),
            ("zstd", True, 256),
        )
    ),
    {"photometric": "rgb", "compression": "lzw", "bigtiff": True},
]
J2K = {"photometric": "rgb", "compression": "aperio_jp2000_rgb", "tile": 240}
CASES = [(writer, kind) for writer in (write_slide, write_svs) for kind in KINDS] + [(write_svs, J2K)]


@pytest.fixture(scope="module")
def tissue_rgb() -> np.ndarray:
    """Sides that no tile divides; every level is a whole fraction of the one before."""
    return tissue(592, 784)


def boxes_of(source: OpenSlideSource, rng: np.random.Generator) -> list[tuple[int, int, int, int, int]]:
    """Boxes of all levels, some beyond the borders, and each level whole."""
    boxes = []
    for number, level in enumerate(source.levels):
        boxes.append((number, 0, 0, level.width, level.height))
        for _ in range(8):
            x, y = (int(rng.integers(-60, side + 20)) for side in (level.width, level.height))
            boxes.append((number, x, y, *rng.integers(1, 300, 2).tolist()))
    return boxes


def both(path: Path) -> tuple[TiffSource, OpenSlideSource]:
    return TiffSource(path, OpenSlideSource(path)), OpenSlideSource(path)


@pytest.mark.parametrize(("writer", "kind"), CASES)
def test_pixels_are_those_of_openslide(tmp_path: Path, tissue_rgb: np.ndarray, writer, kind) -> None:
    writer(tmp_path / "slide.svs", tissue_rgb, **kind)
    ours, theirs = both(tmp_path / "slide.svs")
    assert len(ours.levels) == 3
    expected = {box: theirs.read(*box) for box in boxes_of(theirs, np.random.default_rng(0))}
    # With OpenSlide's handle closed, nothing can be left to it.
    ours.slide.close()
    for box, pixels in expected.items():
        np.testing.assert_array_equal(ours.read(*box), pixels, err_msg=str(box))


def test_every_kind_read_directly_is_tested(tmp_path: Path) -> None:
    tested = set()
    for writer, kind in CASES:
        writer(tmp_path / "slide.svs", tissue(64, 64), **kind)
        with tifffile.TiffFile(tmp_path / "slide.svs") as file:
            page = file.pages[0]
            tested.add((OpenSlideSource(tmp_path / "slide.svs").vendor, page.compression, page.photometric))
    assert tested == DIRECT


def test_lossless_slides_give_the_picture(tmp_path: Path, tissue_rgb: np.ndarray) -> None:
    write_slide(tmp_path / "slide.tif", tissue_rgb, compression="lzw", photometric="rgb")
    with open_slide(tmp_path / "slide.tif", slide_id="a") as slide:
        assert slide.reader == "tifffile"
        box = slide.read_box(300, 200, 400, 300, width_px=400, height_px=300)
    np.testing.assert_array_equal(box, tissue_rgb[200:500, 300:700])


def test_levels_whose_corners_are_no_whole_pixels_are_openslides(tmp_path: Path) -> None:
    write_svs(tmp_path / "slide.svs", tissue(601, 1203), n_levels=2)
    ours, theirs = both(tmp_path / "slide.svs")
    assert ours.slide.stated_downsamples[1] != 4.0 == ours.levels[1].downsample
    for box in boxes_of(theirs, np.random.default_rng(1)):
        np.testing.assert_array_equal(ours.read(*box), theirs.read(*box))


def test_missing_tiles_are_openslides(tmp_path: Path, tissue_rgb: np.ndarray) -> None:
    """A tile of no bytes is transparent to OpenSlide, hence white."""
    write_slide(tmp_path / "slide.tif", tissue_rgb, n_levels=1, compression="none", photometric="rgb")
    with tifffile.TiffFile(tmp_path / "slide.tif", mode="r+b") as file:
        counts = list(file.pages[0].databytecounts)
        counts[1] = 0
        file.pages[0].tags["TileByteCounts"].overwrite(counts)
    ours, theirs = both(tmp_path / "slide.tif")
    box = ours.read(0, 0, 0, 700, 500)
    np.testing.assert_array_equal(box, theirs.read(0, 0, 0, 700, 500))
    assert (box[:256, 256:512] == 255).all()
    np.testing.assert_array_equal(box[:256, :256], tissue_rgb[:256, :256])


def test_threads_share_a_source(tmp_path: Path, tissue_rgb: np.ndarray) -> None:
    write_slide(tmp_path / "slide.tif", tissue_rgb)
    ours, theirs = both(tmp_path / "slide.tif")
    boxes = boxes_of(theirs, np.random.default_rng(2)) * 4
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda box: ours.read(*box), boxes))
    for box, pixels in zip(boxes, found, strict=True):
        np.testing.assert_array_equal(pixels, theirs.read(*box))


def test_decoded_tiles_are_bounded(tmp_path: Path) -> None:
    side = 6400
    one = jpeg_tile(np.full((256, 256, 3), 200, np.uint8), "ycbcr", "420")
    with tifffile.TiffWriter(tmp_path / "slide.tif") as file:
        file.write(
            iter([one] * (side // 256) ** 2),
            shape=(side, side, 3),
            dtype=np.uint8,
            tile=(256, 256),
            photometric="ycbcr",
            compression="jpeg",
            subsampling=(2, 2),
            metadata=None,
        )
    source, _ = both(tmp_path / "slide.tif")
    for y in range(0, side, 256):
        source.read(0, 0, y, side, 256)
    assert source.tiles.cache.n_bytes <= CACHE_BYTES < side * side * 3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"photometric": "minisblack"}, "MINISBLACK"),
        ({"photometric": "rgb", "extrasamples": ["unassalpha"]}, "three interleaved"),
        ({"photometric": "rgb", "planarconfig": "separate"}, "three interleaved"),
        ({"photometric": "rgb", "extratags": [(274, 3, 1, 3, True)]}, "upright"),
    ],
)
def test_other_layouts_stay_with_openslide_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, settings, words: str
) -> None:
    path, grey = tmp_path / "slide.tif", settings["photometric"] == "minisblack"
    pixels = tissue(300, 300)[..., 0] if grey else tissue(300, 300)
    if settings.get("planarconfig"):
        pixels = np.moveaxis(pixels, 2, 0)
    if settings.get("extrasamples"):
        pixels = np.dstack([pixels, np.full((300, 300), 255, np.uint8)])
    tifffile.imwrite(path, pixels, tile=(256, 256), metadata=None, **settings)
    with caplog.at_level(logging.INFO), open_slide(path, slide_id="s1", mpp=0.5) as slide:
        assert slide.reader == "openslide"
    assert "slide s1: pixels are read by OpenSlide, because" in caplog.text
    assert words in caplog.text
    with pytest.raises(ConfigError, match=r"slide s1 .*reader is tifffile.*Set reader: auto or openslide"):
        open_slide(path, slide_id="s1", mpp=0.5, reader="tifffile")


@pytest.mark.parametrize(("codec", "compression"), [("simplejpeg", "jpeg"), ("imagecodecs", "lzw")])
def test_without_its_decoder_openslide_reads(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, codec: str, compression: str
) -> None:
    write_slide(tmp_path / "slide.tif", tissue(300, 300), compression=compression, photometric="rgb")
    monkeypatch.setitem(sys.modules, codec, None)
    with caplog.at_level(logging.INFO), open_slide(tmp_path / "slide.tif", slide_id="s1") as slide:
        assert slide.reader == "openslide"
    assert f"{codec} cannot be imported" in caplog.text
    with pytest.raises(ConfigError, match=f"{codec} cannot be imported"):
        open_slide(tmp_path / "slide.tif", slide_id="s1", reader="tifffile")


def test_the_reader_is_as_chosen(tmp_path: Path) -> None:
    write_slide(tmp_path / "slide.tif", tissue(300, 300))
    for reader, expected in {"auto": "tifffile", "tifffile": "tifffile", "openslide": "openslide"}.items():
        with open_slide(tmp_path / "slide.tif", slide_id="a", reader=reader) as slide:
            assert slide.reader == expected


ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
"""The segment of a JPEG whose next byte is 0 for RGB and 1 for YCbCr."""


@pytest.mark.parametrize(
    ("photometric", "mark", "is_direct"),
    [
        ("rgb", "JFIF", True),
        ("rgb", "Adobe 0", True),
        ("rgb", "Adobe 1", False),
        ("rgb", "none", True),
        ("ycbcr", "JFIF", True),
        ("ycbcr", "Adobe 0", False),
        ("ycbcr", "Adobe 1", True),
        ("ycbcr", "none", True),
    ],
)
def test_colour_space_is_tiffs_whatever_the_jpeg_says(
    tmp_path: Path, photometric: str, mark: str, is_direct: bool
) -> None:
    """JFIF means YCbCr; some scanners write it into images that TIFF calls RGB.  Adobe's word is left to OpenSlide."""
    jpeg = jpeg_tile(tissue(256, 256), "ycbcr", "444")
    jfif_end = 4 + int.from_bytes(jpeg[4:6], "big")
    assert jpeg[6:11] == b"JFIF\x00"
    if mark != "JFIF":
        jpeg = jpeg[:2] + jpeg[jfif_end:]
    if mark.startswith("Adobe"):
        jpeg = jpeg[:2] + ADOBE + bytes([int(mark[-1])]) + jpeg[2:]
    layout = {"shape": (256, 256, 3), "dtype": np.uint8, "tile": (256, 256), "metadata": None}
    tifffile.imwrite(tmp_path / "slide.tif", iter([jpeg]), photometric="ycbcr", compression="jpeg", **layout)
    if photometric == "rgb":
        call_rgb(tmp_path / "slide.tif")
    ours, theirs = both(tmp_path / "slide.tif")
    expected = theirs.read(0, 0, 0, 256, 256)
    np.testing.assert_array_equal(ours.read(0, 0, 0, 256, 256), expected)
    if is_direct:
        np.testing.assert_array_equal(ours.tiles.read(0, 0, 0, 256, 256), expected)
    else:
        with pytest.raises(ValueError, match="a stored tile is"):
            ours.tiles.read(0, 0, 0, 256, 256)


def test_a_grey_jpeg_is_no_rgb(tmp_path: Path) -> None:
    grey = imagecodecs.jpeg8_encode(np.ascontiguousarray(tissue(256, 256)[..., 0]))
    layout = {"shape": (256, 256, 3), "dtype": np.uint8, "tile": (256, 256), "metadata": None}
    tifffile.imwrite(tmp_path / "slide.tif", iter([grey]), photometric="ycbcr", compression="jpeg", **layout)
    for source in both(tmp_path / "slide.tif"):
        with pytest.raises(UnreadablePixelsError):
            source.read(0, 0, 0, 256, 256)
