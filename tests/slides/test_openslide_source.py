import subprocess
import sys
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile

from pipeline.slides.openslide_source import OpenSlideSource, detect_vendor
from tests.slides.slide_files import tissue, write_slide


@pytest.mark.parametrize("box", [(0, 0, 300, 200), (120, 130, 257, 99), (-20, -30, 60, 70), (390, 290, 50, 50)])
@pytest.mark.parametrize("level", [0, 1])
def test_pixels_are_those_of_read_region_over_white(tmp_path: Path, box, level: int) -> None:
    write_slide(tmp_path / "slide.tif", tissue(320, 416), n_levels=2)
    x, y, width, height = box
    with openslide.OpenSlide(tmp_path / "slide.tif") as slide:
        region = np.asarray(slide.read_region((x * 2**level, y * 2**level), level, (width, height)))
    expected = np.where(region[..., 3:] == 0, 255, region[..., :3])
    assert set(np.unique(region[..., 3])) <= {0, 255}
    np.testing.assert_array_equal(OpenSlideSource(tmp_path / "slide.tif").read(level, *box), expected)


def test_white_shows_through_by_what_alpha_leaves(tmp_path: Path) -> None:
    """Alpha 51 of 255 is a fifth: black becomes 204; red of 100 becomes 20 and 204."""
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[..., 3] = 51
    rgba[32:, :, 0] = 100
    tifffile.imwrite(
        tmp_path / "slide.tif", rgba, tile=(64, 64), photometric="rgb", extrasamples=["unassalpha"], metadata=None
    )
    box = OpenSlideSource(tmp_path / "slide.tif").read(0, 0, 0, 64, 64)
    np.testing.assert_array_equal(np.unique(box[:32].reshape(-1, 3), axis=0), [[204, 204, 204]])
    np.testing.assert_array_equal(np.unique(box[32:].reshape(-1, 3), axis=0), [[224, 204, 204]])


def test_downsample_is_the_one_a_level_was_made_with(tmp_path: Path) -> None:
    write_slide(tmp_path / "slide.tif", tissue(301, 403), n_levels=3)
    source = OpenSlideSource(tmp_path / "slide.tif")
    assert [(level.width, level.height) for level in source.levels] == [(403, 301), (201, 150), (100, 75)]
    assert [level.downsample for level in source.levels] == [1, 2, 4]
    assert source.stated_downsamples[1] == pytest.approx((403 / 201 + 301 / 150) / 2)


def test_an_empty_box_has_no_pixels(tmp_path: Path) -> None:
    write_slide(tmp_path / "slide.tif", tissue(64, 64), n_levels=1)
    assert OpenSlideSource(tmp_path / "slide.tif").read(0, 0, 0, 0, 5).shape == (5, 0, 3)


def test_no_slide_has_no_vendor(tmp_path: Path) -> None:
    (tmp_path / "text.svs").write_text("nothing")
    assert detect_vendor(tmp_path / "text.svs") is None


READS_WHILE_CLOSED = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pipeline.slides.openslide_source import OpenSlideSource
from pipeline.slides.source import UnreadablePixelsError

def read(source):
    try:
        return source.read(0, 0, 0, 900, 700).shape
    except UnreadablePixelsError:
        return None

with ThreadPoolExecutor(4) as pool:
    for _ in range(20):
        source = OpenSlideSource(Path(sys.argv[1]))
        reads = [pool.submit(read, source) for _ in range(8)]
        reads[0].result()
        source.close()
        assert {each.result() for each in reads} <= {(700, 900, 3), None}
        assert read(source) is None
"""


def test_closing_waits_for_nobody_and_pulls_the_file_from_under_nobody(pyramid: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", READS_WHILE_CLOSED, str(pyramid)], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
