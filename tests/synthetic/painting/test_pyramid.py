from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile

from pipeline.synthetic.painting.pyramid import KEPT_OF_TRUNCATED, truncate, write_pyramid


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (600, 900, 3), np.uint8)


def test_openslide_gives_back_pixels_levels_and_resolution(tmp_path: Path, rgb: np.ndarray) -> None:
    write_pyramid(tmp_path / "s.tif", rgb, 0.25)
    with openslide.OpenSlide(tmp_path / "s.tif") as slide:
        assert slide.level_dimensions == ((900, 600), (450, 300), (225, 150))
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.25)
        assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(0.25)
        assert np.array_equal(np.asarray(slide.read_region((0, 0), 0, (900, 600)))[..., :3], rgb)


def test_levels_are_means_of_two_by_two(tmp_path: Path, rgb: np.ndarray) -> None:
    write_pyramid(tmp_path / "s.tif", rgb, 0.25, n_levels=2)
    with tifffile.TiffFile(tmp_path / "s.tif") as file:
        assert len(file.pages) == 2
        halved = file.pages[1].asarray()
    mean = rgb.reshape(300, 2, 450, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - mean).max() <= 0.75


def test_the_same_picture_gives_the_same_bytes(tmp_path: Path, rgb: np.ndarray) -> None:
    for name in ("a.tif", "b.tif"):
        write_pyramid(tmp_path / name, rgb, 0.25)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_a_truncated_file_is_the_start_of_the_whole(tmp_path: Path, rgb: np.ndarray) -> None:
    write_pyramid(tmp_path / "s.tif", rgb, 0.25)
    whole = (tmp_path / "s.tif").read_bytes()
    truncate(tmp_path / "s.tif")
    assert (tmp_path / "s.tif").read_bytes() == whole[: int(len(whole) * KEPT_OF_TRUNCATED)]
