import numpy as np
import pytest

from pipeline.nuclei.learning.restaining import hed_from_rgb
from pipeline.nuclei.stain.stain_channels import (
    StainScale,
    darkness,
    estimate_stain_scale,
    haematoxylin,
    network_input,
)


def test_white_is_unstained_and_light() -> None:
    white = np.full((1, 1, 3), 255, np.uint8)
    assert haematoxylin(white)[0, 0] == 0
    assert darkness(white)[0, 0] == pytest.approx(0, abs=1e-6)
    assert darkness(0 * white)[0, 0] == 1


def test_haematoxylin_is_the_first_concentration_never_negative() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    assert haematoxylin(rgb) == pytest.approx(np.maximum(hed_from_rgb(rgb)[..., 0], 0), abs=1e-5)


def test_scale_pools_all_samples() -> None:
    light, dark = np.full((2, 2, 3), 255, np.uint8), np.full((2, 2, 3), (90, 60, 140), np.uint8)
    scale = estimate_stain_scale([light, dark], low_percentile=0, high_percentile=100)
    assert scale == StainScale(0.0, pytest.approx(float(haematoxylin(dark)[0, 0])))


@pytest.mark.parametrize("samples", [[], [np.full((4, 4, 3), 255, np.uint8)]])
def test_without_stain_the_scale_stays_open(samples: list[np.ndarray]) -> None:
    scale = estimate_stain_scale(samples)
    assert scale.high > scale.low


def test_network_channels() -> None:
    rgb = np.full((3, 5, 3), (90, 60, 140), np.uint8)
    stain = float(haematoxylin(rgb)[0, 0])
    both = network_input(rgb, StainScale(stain / 2, stain), "haematoxylin_luminance")
    one = network_input(rgb, StainScale(stain / 2, stain), "haematoxylin")
    assert both.shape == one.shape == (2, 3, 5)
    assert both[0, 0, 0] == pytest.approx(1, abs=1e-5)
    assert both[1, 0, 0] == pytest.approx(float(darkness(rgb)[0, 0]))
    assert not one[1].any()
    with pytest.raises(ValueError, match="found 'rgb'"):
        network_input(rgb, StainScale(0, 1), "rgb")


def test_samples_without_a_pixel_have_the_scale_of_an_unstained_field() -> None:
    nothing = np.empty((0, 3), np.uint8)
    assert estimate_stain_scale([]) == estimate_stain_scale([nothing, nothing]) == StainScale(0.0, 1.0)
    some = np.full((4, 4, 3), 120, np.uint8)
    assert estimate_stain_scale([nothing, some.reshape(-1, 3)]) == estimate_stain_scale([some])
