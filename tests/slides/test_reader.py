import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.errors import ConfigError, MissingMppError, SlideError
from pipeline.slides.reader import open_slide
from pipeline.synthetic.painting.pyramid import truncate, write_pyramid


def test_pyramid_states_its_size_resolution_and_levels(pyramid: Path) -> None:
    with open_slide(pyramid, slide_id="a") as slide:
        assert (slide.width_l0, slide.height_l0) == (900, 700)
        assert slide.mpp == pytest.approx(0.25, rel=1e-6)
        assert slide.vendor == "generic-tiff"
        assert [level.downsample for level in slide.levels] == [1, 2, 4]


def test_box_that_coincides_with_pixels_is_untouched(pyramid: Path, picture: np.ndarray) -> None:
    with open_slide(pyramid, slide_id="a") as slide:
        box = slide.read_box(37, 250, 300, 200, width_px=300, height_px=200)
    np.testing.assert_array_equal(box, picture[250:450, 37:337])


def test_box_of_half_size_is_the_stored_level(pyramid: Path, picture: np.ndarray) -> None:
    half = np.asarray(Image.fromarray(picture).reduce(2))
    with open_slide(pyramid, slide_id="a") as slide:
        box = slide.read_box(100, 200, 400, 300, width_px=200, height_px=150)
    np.testing.assert_array_equal(box, half[100:250, 50:250])


def test_outside_is_white(pyramid: Path, picture: np.ndarray) -> None:
    with open_slide(pyramid, slide_id="a") as slide:
        box = slide.read_box(-10, -20, 50, 50, width_px=50, height_px=50)
        beyond = slide.read_box(5000, 5000, 20, 20, width_px=10, height_px=10)
    assert (box[:20] == 255).all()
    assert (box[:, :10] == 255).all()
    np.testing.assert_array_equal(box[20:, 10:], picture[:30, :40])
    assert (beyond == 255).all()


def test_fractional_box_is_shifted_by_the_fraction(tmp_path: Path) -> None:
    # A linear ramp tells its own position: 2 grey levels a pixel, the value at centre c is 2 * (c - 0.5).
    ramp = np.repeat(np.repeat(np.arange(0, 240, 2, dtype=np.uint8)[None, :, None], 60, 0), 3, 2)
    path = tmp_path / "ramp.png"
    Image.fromarray(ramp).save(path)
    with open_slide(path, slide_id="a", mpp=0.5) as slide:
        box = slide.read_box(20.25, 10, 60, 20, width_px=20, height_px=20)
    expected = 2 * (20.25 + 3 * (np.arange(20) + 0.5) - 0.5)
    np.testing.assert_allclose(box[10, :, 0], expected, atol=0.51)


def test_shrinking_averages_instead_of_picking(tmp_path: Path) -> None:
    checks = ((np.indices((256, 256)).sum(axis=0) % 2) * 255).astype(np.uint8)
    path = tmp_path / "checks.png"
    Image.fromarray(checks).save(path)
    with open_slide(path, slide_id="a", mpp=0.5) as slide:
        small = slide.read_box(64, 64, 128, 128, width_px=31, height_px=31)
    assert np.abs(small.astype(int) - 127.5).max() <= 3


def test_level_is_never_coarser_than_asked_for(pyramid: Path) -> None:
    with open_slide(pyramid, slide_id="a") as slide:
        levels = [slide.best_level(downsample) for downsample in (0.5, 1, 1.97, 1.985, 2, 3.9, 4, 50)]
    assert levels == [0, 0, 0, 1, 1, 1, 2, 2]


def test_thumbnail_covers_the_slide_whatever_the_block(
    pyramid: Path, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_slide(pyramid, slide_id="a") as slide:
        whole = slide.thumbnail(0.6)
        monkeypatch.setattr("pipeline.slides.thumbnail.BLOCK_PX", 128)
        blocks = slide.thumbnail(0.6)
        point = slide.thumbnail(1e6)
    assert whole.shape == (round(700 * 0.25 / 0.6), round(900 * 0.25 / 0.6), 3)
    assert np.abs(whole.astype(int) - blocks.astype(int)).max() <= 1
    assert point.shape == (1, 1, 3)


def test_non_ascii_name_and_symlink(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "Färbung 染色 1.tif"
    write_pyramid(path, picture, 0.5)
    link = tmp_path / "link.tif"
    link.symlink_to(path)
    for name in (path, link):
        with open_slide(name, slide_id="a") as slide:
            np.testing.assert_array_equal(slide.read_box(0, 0, 9, 9, width_px=9, height_px=9), picture[:9, :9])


def test_sheet_overrules_the_file(pyramid: Path) -> None:
    with open_slide(pyramid, slide_id="a", mpp=0.4) as slide:
        assert slide.mpp == 0.4


def test_missing_mpp_names_slide_and_remedy(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "roi.png"
    Image.fromarray(picture).save(path, dpi=(300, 300))
    with pytest.raises(MissingMppError, match=r"slide roi7 .*no pixel size.*column `mpp` of the sheet"):
        open_slide(path, slide_id="roi7")


def test_screen_resolution_is_no_mpp(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "screen.tif"
    write_pyramid(path, picture, 25_400 / 72)
    with pytest.raises(
        MissingMppError, match=re.escape("352.778 um/px (72 dpi, which programs write by default), not a")
    ):
        open_slide(path, slide_id="a")


def test_oblong_pixels_are_refused_with_both_sizes(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "oblong.tif"
    resolution = (10_000 / 0.5, 10_000 / 0.25)
    tifffile.imwrite(path, picture, tile=(256, 256), photometric="rgb", resolution=resolution, resolutionunit=3)
    with pytest.raises(SlideError, match=r"0\.5 um in x and 0\.25 um in y"):
        open_slide(path, slide_id="a")
    with open_slide(path, slide_id="a", mpp=0.5) as slide:
        assert slide.mpp == 0.5


@pytest.mark.parametrize("mpp", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_mpp_is_refused(pyramid: Path, mpp: float) -> None:
    with pytest.raises(ConfigError, match="expected a positive number"):
        open_slide(pyramid, slide_id="a", mpp=mpp)


def test_bad_files_name_slide_and_file(tmp_path: Path, pyramid: Path) -> None:
    (tmp_path / "broken.svs").write_bytes(b"II*\0 this is not a slide")
    (tmp_path / "empty.png").write_bytes(b"")
    truncate(pyramid)
    for name, found in {
        "broken.svs": "cannot be opened",
        "empty.png": "cannot be opened",
        "slide.tif": "cannot be opened",
        "none.svs": "no such file",
        "": "a folder",
    }.items():
        with pytest.raises(SlideError, match=found) as caught:
            open_slide(tmp_path / name, slide_id="s1", mpp=0.5)
        assert "slide s1" in str(caught.value)
        assert str(tmp_path / name) in str(caught.value)


def test_damaged_tile_names_position_and_remedy(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.tif"
    write_pyramid(path, rng.integers(0, 255, (1024, 1024, 3), np.uint8), 0.5)
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[5]
    content = bytearray(path.read_bytes())
    content[offset : offset + 2000] = bytes(2000)
    path.write_bytes(content)
    with (
        open_slide(path, slide_id="s1") as slide,
        pytest.raises(SlideError, match=r"\(256, 256\).*on_bad_slide: exclude"),
    ):
        slide.read_box(256, 256, 256, 256, width_px=256, height_px=256)


def test_any_cut_of_a_file_is_a_slide_error_or_a_slide(tmp_path: Path) -> None:
    """Wherever a copy breaks off, nothing but ``SlideError`` comes out."""
    path = tmp_path / "whole.tif"
    write_pyramid(path, np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8), 0.5, n_levels=2)
    content = path.read_bytes()
    outcomes = set()
    for share in np.linspace(0, 0.999, 40):
        (tmp_path / "cut.tif").write_bytes(content[: int(share * len(content))])
        try:
            with open_slide(tmp_path / "cut.tif", slide_id="s", mpp=0.5) as slide:
                slide.thumbnail(1.0)
            outcomes.add("read")
        except SlideError:
            outcomes.add("refused")
    assert "refused" in outcomes
