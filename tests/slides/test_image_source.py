from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.errors import SlideError
from pipeline.slides.reader import open_slide

HEIGHT, WIDTH = 40, 60


def read(path: Path) -> np.ndarray:
    with open_slide(path, slide_id="a", mpp=0.5) as slide:
        return slide.read_box(0, 0, slide.width_l0, slide.height_l0, width_px=slide.width_l0, height_px=slide.height_l0)


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_lossless_formats_keep_their_pixels(tmp_path: Path, rgb: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(rgb).save(path, **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(read(path), rgb)


def test_jpeg_is_close(tmp_path: Path) -> None:
    path = tmp_path / "image.jpg"
    Image.new("RGB", (WIDTH, HEIGHT), (200, 120, 160)).save(path, quality=95)
    assert np.abs(read(path).astype(int) - (200, 120, 160)).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_palette_gives_its_colours(tmp_path: Path, suffix: str) -> None:
    picture = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8)).convert("P")
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.save(tmp_path / f"palette.{suffix}")
    expected = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [0, 255, 0]]])
    np.testing.assert_array_equal(read(tmp_path / f"palette.{suffix}"), expected)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_transparency_is_shown_over_white(tmp_path: Path, suffix: str) -> None:
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 51]]], np.uint8)
    Image.fromarray(rgba).save(tmp_path / f"clear.{suffix}")
    expected = np.array([[[10, 20, 30], [255, 255, 255], [204, 204, 204]]])
    np.testing.assert_array_equal(read(tmp_path / f"clear.{suffix}"), expected)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_is_scaled_by_its_range(tmp_path: Path, suffix: str) -> None:
    grey = np.array([[0, 257, 32_896, 65_535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / f"grey.{suffix}")
    np.testing.assert_array_equal(read(tmp_path / f"grey.{suffix}")[0, :, 1], [0, 1, 128, 255])


def test_16_bit_rgb_tiff(tmp_path: Path, rgb: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "deep.tif", rgb.astype(np.uint16) * 257, photometric="rgb")
    np.testing.assert_array_equal(read(tmp_path / "deep.tif"), rgb)


def test_planar_and_grey_and_inverted_tiffs(tmp_path: Path, rgb: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "planar.tif", np.moveaxis(rgb, 2, 0), photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "grey.tif", rgb[..., 0])
    tifffile.imwrite(tmp_path / "inverted.tif", 255 - rgb[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(read(tmp_path / "planar.tif"), rgb)
    np.testing.assert_array_equal(read(tmp_path / "grey.tif"), np.repeat(rgb[..., :1], 3, axis=2))
    np.testing.assert_array_equal(read(tmp_path / "inverted.tif"), np.repeat(rgb[..., :1], 3, axis=2))


def test_one_pixel(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "dot.png")
    np.testing.assert_array_equal(read(tmp_path / "dot.png"), [[[1, 2, 3]]])


def test_ome_tiff_states_its_pixel_size(tmp_path: Path, rgb: np.ndarray) -> None:
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 500.0, "PhysicalSizeYUnit": "nm"}
    tifffile.imwrite(tmp_path / "a.ome.tif", rgb, photometric="rgb", metadata={"axes": "YXS", **size})
    with open_slide(tmp_path / "a.ome.tif", slide_id="a") as slide:
        assert slide.mpp == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((8, 8), np.float32), "float32"),
        (np.zeros((5, 8, 8), np.uint8), "not one grey, RGB or RGBA image"),
        (np.zeros((8, 8), np.int16), "int16"),
    ],
)
def test_ambiguous_tiffs_are_refused(tmp_path: Path, pixels: np.ndarray, words: str) -> None:
    tifffile.imwrite(tmp_path / "odd.tif", pixels, photometric="minisblack")
    with pytest.raises(SlideError, match=words):
        read(tmp_path / "odd.tif")


def test_image_too_large_for_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.slides.image_source.MAX_PIXELS", 1000)
    tifffile.imwrite(tmp_path / "large.tif", np.zeros((40, 40), np.uint8))
    with pytest.raises(SlideError, match="make it a tiled pyramid"):
        read(tmp_path / "large.tif")
