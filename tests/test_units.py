import pytest

from pipeline.units import l0_from_px


def test_pixels_twice_as_wide_are_half_as_many():
    assert l0_from_px(64, 0.5, 0.25) == 128
    assert l0_from_px(64, 0.5, 1.0) == 32


def test_a_tile_covers_the_same_tissue_on_every_scanner():
    for slide_mpp in (0.2528, 0.265, 0.499):
        assert l0_from_px(512, 0.5, slide_mpp) * slide_mpp == pytest.approx(256)
