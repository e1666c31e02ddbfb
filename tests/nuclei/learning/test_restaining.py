import numpy as np
import pytest

from pipeline.nuclei.learning.restaining import hed_from_rgb, rgb_from_hed
from pipeline.nuclei.stain.stain_channels import RGB_FROM_HED


def test_pure_stains_come_apart() -> None:
    """Beer-Lambert law: light of one unit of one stain alone gives back that unit."""
    rgb = (256 * np.exp(-RGB_FROM_HED) - 1).round().astype(np.uint8)[None]
    assert hed_from_rgb(rgb)[0] == pytest.approx(np.eye(3), abs=0.02)


def test_colours_survive_the_round_trip() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (50, 3), dtype=np.uint8)
    assert np.abs(rgb_from_hed(hed_from_rgb(rgb)).astype(int) - rgb).max() <= 1


def test_no_stain_is_white_and_much_is_black() -> None:
    assert rgb_from_hed(np.zeros((1, 3), np.float32)).tolist() == [[255, 255, 255]]
    assert rgb_from_hed(np.full((1, 3), 20, np.float32)).tolist() == [[0, 0, 0]]
    assert rgb_from_hed(np.full((1, 3), -1, np.float32)).tolist() == [[255, 255, 255]]
