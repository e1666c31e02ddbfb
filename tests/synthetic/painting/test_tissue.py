from dataclasses import replace

import numpy as np
import pytest
from skimage.measure import regionprops

from pipeline.synthetic.painting.nucleus import Stain
from pipeline.synthetic.painting.placement import NucleusShape
from pipeline.synthetic.painting.tissue import PaintedTissue, TissueSpec, paint_tissue, random_spec

ROUND = TissueSpec(nuclei_per_mm2=2500.0, kappa=4.0, shape=NucleusShape(aspect=0.5), stain=Stain(irregular=0.0))


def paint(spec: TissueSpec, side_px: int = 400, mpp: float = 0.5, seed: int = 0) -> PaintedTissue:
    return paint_tissue(spec, width_px=side_px, height_px=side_px, mpp=mpp, rng=np.random.default_rng(seed))


@pytest.fixture(scope="module")
def painted() -> PaintedTissue:
    return paint(ROUND)


def inner(painted: PaintedTissue) -> list[tuple[object, object]]:
    """Regions wholly within the picture, with their rows of the truth."""
    side = painted.labels.shape[0]
    regions = [r for r in regionprops(painted.labels) if min(r.bbox[:2]) > 0 and max(r.bbox[2:]) < side]
    return [(region, painted.nuclei.iloc[region.label - 1]) for region in regions]


def test_labels_are_the_ellipses_of_the_table(painted: PaintedTissue) -> None:
    pairs = inner(painted)
    assert len(pairs) > 60
    for region, row in pairs:
        assert np.hypot(region.centroid[1] + 0.5 - row["x"], region.centroid[0] + 0.5 - row["y"]) < 0.6
        assert region.area == pytest.approx(np.pi / 4 * row["major"] * row["minor"], rel=0.12)


def test_orientation_is_from_x_towards_y_down(painted: PaintedTissue) -> None:
    # scikit-image measures from the row axis: pi/2 minus its angle is ours.
    differences = [np.pi / 2 - region.orientation - row["orientation_rad"] for region, row in inner(painted)]
    assert np.abs(np.angle(np.exp(2j * np.array(differences))) / 2).max() < 0.1


def test_nuclei_are_darker_than_their_surroundings(painted: PaintedTissue) -> None:
    red = painted.rgb[..., 0].astype(float)
    assert red[painted.labels > 0].mean() < red[painted.labels == 0].mean() - 60


def test_halving_the_pixel_paints_the_same_tissue() -> None:
    coarse, fine = paint(ROUND, 300, 0.5), paint(ROUND, 600, 0.25)
    np.testing.assert_allclose(coarse.nuclei[["x", "y", "major"]], fine.nuclei[["x", "y", "major"]] / 2)
    halved = fine.rgb.reshape(300, 2, 300, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - coarse.rgb).mean() < 8


def test_margin_is_white_and_without_nuclei() -> None:
    painted = paint(replace(ROUND, margin_um=30.0))
    assert painted.rgb[:8].min() > 220
    assert not painted.labels[:8].any()
    assert painted.rgb[200, 200].mean() < 235


def test_same_seed_same_bytes(painted: PaintedTissue) -> None:
    again = paint(ROUND)
    np.testing.assert_array_equal(again.rgb, painted.rgb)
    np.testing.assert_array_equal(again.labels, painted.labels)
    assert not np.array_equal(paint(ROUND, seed=1).rgb, painted.rgb)


@pytest.mark.parametrize("seed", range(6))
def test_random_specs_can_be_painted_and_differ(seed: int) -> None:
    rng = np.random.default_rng(seed)
    painted = paint_tissue(random_spec(rng), width_px=128, height_px=96, mpp=0.5, rng=rng)
    assert painted.rgb.shape == (96, 128, 3)
    assert painted.labels.shape == (96, 128)
    assert painted.labels.max() <= len(painted.nuclei)
    assert random_spec(rng) != random_spec(rng)


def test_one_pixel_and_no_nuclei() -> None:
    assert paint(ROUND, 1).rgb.shape == (1, 1, 3)
    empty = paint(replace(ROUND, nuclei_per_mm2=0.0), 64)
    assert empty.nuclei.empty
    assert not empty.labels.any()
