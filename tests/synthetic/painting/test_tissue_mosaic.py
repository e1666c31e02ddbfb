import numpy as np
import pytest

from pipeline.synthetic.painting.placement import NucleusShape
from pipeline.synthetic.painting.tissue import TissueSpec
from pipeline.synthetic.painting.tissue_mosaic import TileLook, paint_mosaic

SMALL, LARGE = NucleusShape(major_um=6.0, aspect=0.5), NucleusShape(major_um=11.0, aspect=0.5)
LOOKS = [TileLook(2000, SMALL, 0.3, 50.0), TileLook(4000, LARGE, 1.8, 50.0), *[TileLook(0, SMALL, 0.0, 0.0)] * 2]


@pytest.fixture(scope="module")
def painted():
    return paint_mosaic(LOOKS, 2, 100.0, TissueSpec(), mpp=0.5, rng=np.random.default_rng(0))


def of_tile(painted, row, col):
    nuclei = painted.nuclei
    return nuclei[(nuclei["y"] // 200 == row) & (nuclei["x"] // 200 == col)]


def test_tiles_fill_the_picture_row_by_row(painted):
    assert painted.rgb.shape == (400, 400, 3)
    assert len(of_tile(painted, 1, 0)) == len(of_tile(painted, 1, 1)) == 0


def test_each_tile_has_its_density_size_and_axis(painted):
    for col, (count, major_px, axis) in enumerate([(20, 12.0, 0.3), (40, 22.0, 1.8)]):
        nuclei = of_tile(painted, 0, col)
        assert len(nuclei) == pytest.approx(count, abs=1)
        assert nuclei["major"].mean() == pytest.approx(major_px, rel=0.12)
        mean = np.angle(np.exp(2j * nuclei["orientation_rad"]).mean()) / 2 % np.pi
        assert mean == pytest.approx(axis, abs=0.1)


def test_same_seed_same_picture(painted):
    again = paint_mosaic(LOOKS, 2, 100.0, TissueSpec(), mpp=0.5, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(again.rgb, painted.rgb)
