from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from pipeline.errors import SlideError
from pipeline.slides.image_source import ImageSource
from pipeline.slides.open_source import open_source
from pipeline.slides.openslide_source import OpenSlideSource
from pipeline.slides.source import UnreadablePixelsError
from pipeline.slides.tiff_pyramid import TiffPyramidSource
from pipeline.slides.tiff_source import TiffSource
from tests.slides.slide_files import levels_of, tissue, write_slide

TILES = {"tile": (64, 64), "metadata": None}
N_CUTS = 24


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    return tissue(200, 260)


def write_planes(path: Path, rgb: np.ndarray) -> None:
    planes = np.ascontiguousarray(np.moveaxis(rgb, 2, 0))
    tifffile.imwrite(path, planes, tile=(64, 64), photometric="minisblack", metadata={"axes": "CYX"}, ome=True)


def write_16_bit_maximum(path: Path, rgb: np.ndarray) -> None:
    stated = [(341, 3, 3, (4080, 4080, 4080), True)]
    tifffile.imwrite(path, rgb.astype(np.uint16) << 4, photometric="rgb", extratags=stated, **TILES)


def write_slide_after_label(path: Path, rgb: np.ndarray) -> None:
    """The label lies in strips."""
    with tifffile.TiffWriter(path) as file:
        file.write(rgb[:40, :50], photometric="rgb", metadata=None)
        file.write(rgb, photometric="rgb", **TILES)
        file.write(list(levels_of(rgb, 2))[1], photometric="rgb", subfiletype=1, **TILES)


def write_strips(path: Path, rgb: np.ndarray) -> None:
    tifffile.imwrite(path, rgb, photometric="rgb", metadata=None)


def write_grey(path: Path, rgb: np.ndarray) -> None:
    tifffile.imwrite(path, rgb[..., 0], photometric="minisblack", **TILES)


def write_tiles(path: Path, rgb: np.ndarray) -> None:
    write_slide(path, rgb, n_levels=1, compression="lzw", photometric="rgb")


SOURCES: dict[Any, type] = {
    write_planes: TiffPyramidSource,
    write_16_bit_maximum: TiffPyramidSource,
    write_slide_after_label: TiffPyramidSource,
    write_strips: ImageSource,
    write_grey: OpenSlideSource,
    write_tiles: TiffSource,
}


@pytest.mark.parametrize(("write", "source"), SOURCES.items())
def test_what_reads_a_tiff(tmp_path: Path, rgb: np.ndarray, write, source: type) -> None:
    write(tmp_path / "a.tif", rgb)
    opened = open_source(tmp_path / "a.tif", "s1", "auto")
    assert type(opened) is source
    expected = np.repeat(rgb[..., :1], 3, axis=2) if write is write_grey else rgb
    np.testing.assert_array_equal(opened.read(0, 0, 0, 260, 200), expected)
    opened.close()


@pytest.mark.parametrize("write", [write_planes, write_16_bit_maximum, write_slide_after_label])
def test_wherever_a_copy_breaks_off_no_other_picture_is_read(tmp_path: Path, rgb: np.ndarray, write) -> None:
    write(tmp_path / "whole.tif", rgb)
    content = (tmp_path / "whole.tif").read_bytes()
    outcomes = set()
    for cut in range(1, N_CUTS):
        (tmp_path / "cut.tif").write_bytes(content[: len(content) * cut // N_CUTS])
        try:
            opened = open_source(tmp_path / "cut.tif", "s1", "auto")
            box = opened.read(0, 0, 0, 260, 200)
        except (SlideError, UnreadablePixelsError) as error:
            outcomes.add(type(error))
        else:
            np.testing.assert_array_equal(box, rgb, err_msg=str(cut))
    assert outcomes


def test_a_file_that_tifffile_cannot_take_apart_is_left_to_openslide(
    tmp_path: Path, rgb: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> None:
        raise ValueError("odd tags")

    write_tiles(tmp_path / "a.tif", rgb)
    monkeypatch.setattr("pipeline.slides.open_source.slide_image", broken)
    opened = open_source(tmp_path / "a.tif", "s1", "openslide")
    np.testing.assert_array_equal(opened.read(0, 0, 0, 260, 200), rgb)
