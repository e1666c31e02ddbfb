from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.slides.levels import LazyImage, padded_downsamples, proven_levels, rounded_downsample
from pipeline.slides.openslide_source import OpenSlideSource
from pipeline.slides.reader import open_slide
from tests.slides.slide_files import APERIO, levels_of, padded, tissue, write_images

SIDE = 1024
SVS = APERIO.format(width=SIDE, height=SIDE, mpp=0.5)
WAYS = {"up": np.ceil, "down": np.floor, "to the nearest": np.rint}


@pytest.fixture(scope="module")
def slide_rgb() -> np.ndarray:
    """Tissue in the left half, glass in the right."""
    return np.hstack([tissue(SIDE, SIDE // 2), np.full((SIDE, SIDE // 2, 3), 246, np.uint8)])


def label(height: int, width: int, kind: str) -> np.ndarray:
    if kind == "words":
        rgb = np.full((height, width, 3), 252, np.uint8)
        rgb[height // 4 : height // 2 : 3, width // 8 : -width // 8] = 20
        return rgb
    return np.full((height, width, 3), {"white": 250, "pink": (230, 120, 180), "black": 0}[kind], np.uint8)


@pytest.mark.parametrize("rounding", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("factor", [2, 3, 4, 5])
@pytest.mark.parametrize("size_l0", [(1000, 1000), (10_007, 331), (3, 4000), (123_457, 98_765)])
def test_sides_rounded_in_any_way_at_every_level_are_level_0_made_smaller(size_l0, factor: float, rounding) -> None:
    size, downsample = np.array(size_l0, float), 1.0
    while size.max() > 1:
        size, downsample = np.maximum(rounding(size / factor), 1), downsample * factor
        width, height = size.astype(int).tolist()
        found = rounded_downsample(size_l0, (width, height))
        assert found is not None
        # Off by less than two pixels at the far end of the longer side.
        assert abs(max(size_l0) / found - max(size_l0) / downsample) < 2


@pytest.mark.parametrize("size", [(512, 256), (512, 508), (510, 512), (300, 400), (100, 1), (1024, 1000)])
def test_sides_that_no_number_divides_are_of_another_image(size: tuple[int, int]) -> None:
    assert rounded_downsample((1024, 1024), size) is None


def test_a_level_of_a_pixel_goes_by_its_longer_side() -> None:
    assert rounded_downsample((4096, 100), (32, 1)) == 128
    assert rounded_downsample((59_049, 100), (9, 1)) == pytest.approx(6561)


def test_padded_levels_are_whole_tiles_of_level_0_halved() -> None:
    assert padded_downsamples((45_056, 35_840), LazyImage(11_264, 9216, 512, 512)) == [4]
    assert padded_downsamples((45_056, 35_840), LazyImage(11_264, 8960, 512, 512)) == []
    assert padded_downsamples((1024, 768), LazyImage(256, 256, 256, 256)) == [4, 8, 16, 32, 64, 128, 256, 512, 1024]


def test_a_slide_of_a_pixel_has_a_level() -> None:
    proven = proven_levels([LazyImage(1, 1)], lambda *_box: np.zeros((1, 1, 3), np.uint8))
    assert [(level.width, level.height, level.downsample) for level in proven.levels] == [(1, 1, 1)]


@pytest.mark.parametrize("description", [None, SVS], ids=["generic", "svs"])
@pytest.mark.parametrize("kind", ["white", "pink", "black", "words"])
@pytest.mark.parametrize("size", [(128, 256), (256, 256), (300, 200), (333, 333), (512, 512), (900, 40)])
def test_a_label_is_no_level(tmp_path: Path, slide_rgb, size, kind: str, description: str | None) -> None:
    """Of the slide's shape or not, and also when it is as large as a level."""
    images = [*levels_of(slide_rgb, 2), label(*size, kind)]
    if description:
        # OpenSlide wants them in order.
        images = [images[0], *sorted(images[1:], key=lambda each: -sum(each.shape))]
    write_images(tmp_path / "slide.tif", images, description=description)
    for reader in ("auto", "openslide"):
        with open_slide(tmp_path / "slide.tif", slide_id="a", reader=reader) as slide:
            assert [level.downsample for level in slide.levels] == [1, 2]
            assert len(slide.cautions) == 1
            assert f"an image of {size[1]} x {size[0]} px is stored like a level and left out" in slide.cautions[0]
            half = slide.read_box(0, 0, SIDE, SIDE, width_px=SIDE // 2, height_px=SIDE // 2)
            quarter = slide.read_box(0, 0, SIDE, SIDE, width_px=SIDE // 4, height_px=SIDE // 4)
        np.testing.assert_array_equal(half, images[1] if images[1].shape == half.shape else images[2])
        assert np.abs(quarter.astype(int) - np.asarray(Image.fromarray(slide_rgb).reduce(4))).mean() < 3


def test_a_thumbnail_is_a_level_because_it_shows_the_slide(tmp_path: Path, slide_rgb: np.ndarray) -> None:
    thumbnail = np.asarray(Image.fromarray(slide_rgb).resize((300, 300), Image.Resampling.LANCZOS))
    write_images(tmp_path / "slide.tif", [*levels_of(slide_rgb, 2), thumbnail])
    with open_slide(tmp_path / "slide.tif", slide_id="a") as slide:
        assert [level.width for level in slide.levels] == [SIDE, SIDE // 2, 300]
        assert slide.cautions == ()


def test_of_two_images_of_a_size_the_one_that_shows_the_slide_is_the_level(tmp_path: Path, slide_rgb) -> None:
    whole, half = levels_of(slide_rgb, 2)
    write_images(tmp_path / "after.tif", [whole, half, 255 - half])
    write_images(tmp_path / "before.tif", [whole, 255 - half, half])
    write_images(tmp_path / "twice.tif", [whole, half, half])
    for name in ("after", "before", "twice"):
        with open_slide(tmp_path / f"{name}.tif", slide_id="a") as slide:
            assert [level.downsample for level in slide.levels] == [1, 2]
            assert len(slide.cautions) == 1
            found = slide.read_box(0, 0, SIDE, SIDE, width_px=SIDE // 2, height_px=SIDE // 2)
        np.testing.assert_array_equal(found, half)


def test_another_picture_of_the_size_of_level_0_is_never_read(tmp_path: Path, slide_rgb: np.ndarray) -> None:
    write_images(tmp_path / "slide.tif", [slide_rgb, 255 - slide_rgb])
    with open_slide(tmp_path / "slide.tif", slide_id="a") as slide:
        assert len(slide.levels) == 1
        assert "another of its size" in slide.cautions[0]
        np.testing.assert_array_equal(slide.read_box(0, 0, SIDE, SIDE, width_px=SIDE, height_px=SIDE), slide_rgb)


@pytest.mark.parametrize("n_levels", [3, 11])
def test_a_clean_pyramid_is_read_as_before_down_to_a_pixel(tmp_path: Path, slide_rgb, n_levels: int) -> None:
    write_images(tmp_path / "slide.tif", list(levels_of(slide_rgb, n_levels)))
    with open_slide(tmp_path / "slide.tif", slide_id="a") as slide:
        assert [level.downsample for level in slide.levels] == [2**n for n in range(n_levels)]
        assert [level.number for level in slide.levels] == list(range(n_levels))
        assert slide.cautions == ()


def test_a_blank_slide_keeps_its_levels(tmp_path: Path) -> None:
    write_images(tmp_path / "slide.tif", list(levels_of(np.full((800, 900, 3), 246, np.uint8), 3)))
    with open_slide(tmp_path / "slide.tif", slide_id="a") as slide:
        assert len(slide.levels) == 3


@pytest.mark.parametrize("value", [0, 255])
def test_levels_padded_to_whole_tiles_lie_where_level_0_lies(tmp_path: Path, value: int) -> None:
    """Level 2 is 192 px high and stored as 256: a ratio of sizes would say 3.5 in place of 4."""
    rgb = padded(tissue(700, 1000), 256, value)
    images = [padded(level, 256, value) for level in levels_of(rgb, 3)]
    assert [image.shape[1::-1] for image in images] == [(1024, 768), (512, 512), (256, 256)]
    write_images(tmp_path / "slide.tif", images)
    for reader in ("auto", "openslide"):
        with open_slide(tmp_path / "slide.tif", slide_id="a", reader=reader) as slide:
            assert [(level.width, level.height, level.downsample) for level in slide.levels] == [
                (1024, 768, 1),
                (512, 384, 2),
                (256, 192, 4),
            ]
            assert [level.number for level in slide.levels] == [0, None, None]
            for step, image in zip((2, 4), images[1:], strict=True):
                width, height = 1024 // step, 900 // step
                found = slide.read_box(0, 0, 1024, 900, width_px=width, height_px=height)
                np.testing.assert_array_equal(found[: 768 // step], image[: 768 // step])
                assert (found[768 // step :] == 255).all()


def test_a_label_of_whole_tiles_is_no_padded_level(tmp_path: Path) -> None:
    rgb = tissue(700, 1000)
    write_images(tmp_path / "slide.tif", [rgb, label(256, 256, "words"), label(512, 512, "pink")])
    source = OpenSlideSource(tmp_path / "slide.tif")
    assert [level.downsample for level in source.levels] == [1]
    assert len(source.cautions) == 2
