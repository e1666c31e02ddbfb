from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.errors import SlideError, UnreadableRegionError
from pipeline.slides.reader import open_slide
from tests.slides.slide_files import levels_of, tissue

LOSSLESS = {"jpeg2000": {"reversible": True}, "webp": {"lossless": True}, "aperio_jp2000_rgb": {"reversible": True}}


def write_ome(path: Path, rgb: np.ndarray, compression: str) -> None:
    """An OME-TIFF whose levels are SubIFDs."""
    size = {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    settings = LOSSLESS[compression]
    tiles = {"tile": (64, 64), "photometric": "rgb", "compression": compression, "compressionargs": settings}
    levels = list(levels_of(rgb, 3))
    with tifffile.TiffWriter(path) as file:
        file.write(levels[0], subifds=2, metadata=size, **tiles)
        for level in levels[1:]:
            file.write(level, subfiletype=1, metadata=None, **tiles)


@pytest.mark.parametrize("compression", LOSSLESS)
def test_pixels_and_levels_of_what_openslide_cannot_decode(tmp_path: Path, compression: str) -> None:
    rgb = tissue(310, 420)
    write_ome(tmp_path / "slide.ome.tif", rgb, compression)
    with open_slide(tmp_path / "slide.ome.tif", slide_id="a") as slide:
        assert (slide.reader, slide.vendor, slide.mpp) == ("tifffile", "generic-tiff", 0.25)
        assert slide.bounds_l0 == (0, 0, 420, 310)
        assert [level.downsample for level in slide.levels] == [1, 2, 4]
        box = slide.read_box(350, 250, 100, 100, width_px=100, height_px=100)
        half = slide.read_box(100, 60, 200, 120, width_px=100, height_px=60)
    np.testing.assert_array_equal(box[:60, :70], rgb[250:, 350:])
    assert (box[60:] == 255).all()
    assert (box[:, 70:] == 255).all()
    np.testing.assert_array_equal(half, list(levels_of(rgb, 2))[1][30:90, 50:150])
    with pytest.raises(SlideError, match="Unsupported TIFF compression"):
        open_slide(tmp_path / "slide.ome.tif", slide_id="a", reader="openslide")


def test_resolution_of_a_plain_tiff_is_in_its_tags(tmp_path: Path) -> None:
    settings = {"tile": (64, 64), "photometric": "rgb", "compression": "webp", "metadata": None}
    resolution = {"resolution": (25_400 / 0.5, 25_400 / 0.5), "resolutionunit": "INCH"}
    tifffile.imwrite(tmp_path / "slide.tif", tissue(100, 100), **settings, **resolution)
    with open_slide(tmp_path / "slide.tif", slide_id="a") as slide:
        assert slide.mpp == pytest.approx(0.5)


def test_a_damaged_tile_is_an_error_and_the_others_are_not(tmp_path: Path) -> None:
    rgb = tissue(128, 128)
    write_ome(tmp_path / "slide.ome.tif", rgb, "webp")
    with tifffile.TiffFile(tmp_path / "slide.ome.tif") as file:
        offset = file.pages[0].dataoffsets[1]
    content = bytearray((tmp_path / "slide.ome.tif").read_bytes())
    content[offset : offset + 30] = bytes(30)
    (tmp_path / "slide.ome.tif").write_bytes(content)
    with open_slide(tmp_path / "slide.ome.tif", slide_id="s1") as slide:
        with pytest.raises(UnreadableRegionError, match=r"slide s1 .*\(64, 0\)"):
            slide.read_box(64, 0, 64, 64, width_px=64, height_px=64)
        box = slide.read_box(0, 64, 128, 64, width_px=128, height_px=64)
    np.testing.assert_array_equal(box, rgb[64:])


def test_what_neither_reads_is_openslides_error(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "slide.tif", tissue(100, 100), tile=(64, 64), photometric="rgb", compression="jpeg2000")
    content = (
        (tmp_path / "slide.tif")
        .read_bytes()
        .replace(b"\x06\x01\x03\x00\x01\x00\x00\x00\x02\x00", b"\x06\x01\x03\x00\x01\x00\x00\x00\x08\x00")
    )
    (tmp_path / "slide.tif").write_bytes(content)
    with pytest.raises(SlideError, match="its samples are CIELAB; expected RGB"):
        open_slide(tmp_path / "slide.tif", slide_id="a", mpp=0.5)
