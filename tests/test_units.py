import pytest

from pipeline.units import l0_from_px, px_from_um, um_from_px


def test_conversions_undo_each_other():
    assert um_from_px(64, 0.5) == 32
    assert px_from_um(um_from_px(37, 0.2528), 0.2528) == pytest.approx(37)


def test_a_tile_covers_the_same_tissue_on_every_scanner():
    for slide_mpp in (0.2528, 0.265, 0.499):
        assert l0_from_px(512, 0.5, slide_mpp) * slide_mpp == pytest.approx(256)
