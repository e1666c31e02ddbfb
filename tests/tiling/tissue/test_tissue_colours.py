import numpy as np
import pytest

from pipeline.tiling.tissue.mask_operations import ROWS_AT_ONCE
from pipeline.tiling.tissue.tissue_colours import (
    N_COLOURS,
    all_colours,
    colour_counts,
    colour_index,
    hsd,
    hue_between,
    looked_up,
    palette,
)

HAEMATOXYLIN, EOSIN, DAB = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78)
"""Optical densities of the stains by Ruifrok and Johnston 2001."""


def absorbed(density: tuple[float, ...], amount: float) -> np.ndarray:
    return 255.0 * 10.0 ** (-amount * np.array(density))


@pytest.mark.parametrize(
    ("density", "hue"), [((1, 0, 0), 0.0), ((0, 1, 0), 120.0), ((0, 0, 1), 240.0), (HAEMATOXYLIN, 66.5), (EOSIN, 122.4)]
)
def test_hue_by_hand(density: tuple[float, ...], hue: float) -> None:
    found = hsd(absorbed(density, 0.5))
    assert found.hue_deg == pytest.approx(hue, abs=0.5)
    assert found.density == pytest.approx(0.5 * np.mean(density))


@pytest.mark.parametrize("density", [HAEMATOXYLIN, EOSIN, DAB])
def test_more_stain_changes_neither_hue_nor_saturation(density: tuple[float, ...]) -> None:
    thin, thick = hsd(absorbed(density, 0.3)), hsd(absorbed(density, 1.2))
    assert thin.hue_deg == pytest.approx(thick.hue_deg)
    assert thin.saturation == pytest.approx(thick.saturation)
    assert thick.density == pytest.approx(4 * thin.density)


def test_grey_and_white_have_no_saturation() -> None:
    found = hsd(np.array([[255.0] * 3, [100.0] * 3, [0.0] * 3]))
    np.testing.assert_allclose(found.saturation[1:], 0.0, atol=1e-9)
    assert found.density[0] == 0.0


def test_hues_between_run_through_the_full_circle() -> None:
    hue = np.array([0.0, 10.0, 44.9, 45.0, 180.0, 359.0])
    np.testing.assert_array_equal(hue_between(hue, 350.0, 405.0), [True, True, True, False, False, True])
    np.testing.assert_array_equal(hue_between(hue, 10.0, 45.0), [False, True, True, False, False, False])
    assert hue_between(hue, 0.0, 360.0).all()


def test_index_names_the_nearest_colour_of_the_palette() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8)
    assert np.abs(all_colours()[colour_index(rgb)] - rgb).max() <= 2.0
    assert palette().density.shape == (N_COLOURS,)


def test_counts_and_look_up_agree_with_the_index_across_strips() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (ROWS_AT_ONCE + 30, 20, 3), dtype=np.uint8)
    index = colour_index(rgb)
    where = rgb[..., 0] > 100
    np.testing.assert_array_equal(colour_counts(rgb), np.bincount(index.ravel(), minlength=N_COLOURS))
    np.testing.assert_array_equal(colour_counts(rgb, where), np.bincount(index[where], minlength=N_COLOURS))
    table = (np.arange(N_COLOURS) % 251).astype(np.uint8)
    np.testing.assert_array_equal(looked_up(table, rgb), table[index])
