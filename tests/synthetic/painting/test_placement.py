import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.special import i0, i1

from pipeline.synthetic.painting.placement import NucleusShape, TissueLayout, _radius, axial_von_mises, place_nuclei

SHAPE = NucleusShape(gap_um=0.5)


def layout(side_um: float = 400.0, kappa: float = 0.0) -> TissueLayout:
    cells = int(side_um / 4)
    tissue = np.zeros((cells, cells), bool)
    tissue[:, : cells // 2] = True
    return TissueLayout(4.0, tissue, np.full((cells, cells), 0.7), np.full((cells, cells), kappa))


def place(density: float, seed: int = 0, **kwargs: float) -> pd.DataFrame:
    return place_nuclei(
        layout(**kwargs),
        SHAPE,
        nuclei_per_mm2=density,
        clustering=0.3,
        extent_um=(400.0, 400.0),
        rng=np.random.default_rng(seed),
    )


def outline(row: pd.Series) -> shapely.Polygon:
    disc = shapely.Point(0, 0).buffer(0.5, quad_segs=24)
    ellipse = shapely.affinity.scale(disc, row["major_um"], row["minor_um"])
    turned = shapely.affinity.rotate(ellipse, row["orientation_rad"], use_radians=True, origin=(0, 0))
    return shapely.affinity.translate(turned, row["x_um"], row["y_um"])


@pytest.mark.parametrize("density", [0.0, 10.0, 3000.0, 5000.0])
def test_density_is_met_on_tissue(density: float) -> None:
    nuclei = place(density)
    assert len(nuclei) == round(density * 0.08)
    assert (nuclei["x_um"] < 200).all()


def test_a_density_that_cannot_be_packed_ends() -> None:
    nuclei = place(100_000.0)
    assert 700 < len(nuclei) < 0.08e6 / SHAPE.area_um2


def test_outlines_hardly_overlap() -> None:
    shapes = [outline(row) for _, row in place(5000.0).iterrows()]
    union = shapely.union_all(shapes).area
    assert union > 0.99 * sum(shape.area for shape in shapes)


def test_sizes_follow_the_shape() -> None:
    nuclei = place(4000.0)
    assert nuclei["major_um"].mean() == pytest.approx(SHAPE.major_um, rel=0.04)
    assert (nuclei["minor_um"] / nuclei["major_um"]).mean() == pytest.approx(SHAPE.aspect, rel=0.04)
    assert nuclei["orientation_rad"].between(0, np.pi, inclusive="left").all()


@pytest.mark.parametrize("kappa", [0.0, 1.0, 6.0])
def test_nematic_order_is_that_of_von_mises(kappa: float) -> None:
    angles = axial_von_mises(np.full(20_000, 2.9), np.full(20_000, kappa), np.random.default_rng(0))
    mean = np.exp(2j * angles).mean()
    assert abs(mean) == pytest.approx(i1(kappa) / i0(kappa), abs=0.02)
    if kappa:
        assert np.mod(np.angle(mean) / 2, np.pi) == pytest.approx(2.9, abs=0.03)


def test_seeded() -> None:
    pd.testing.assert_frame_equal(place(2000.0, seed=3), place(2000.0, seed=3))
    assert not place(2000.0, seed=3).equals(place(2000.0, seed=4))


def test_radius_of_an_ellipse_by_direction() -> None:
    """Along its major axis half of that, across it half the minor, and between them a point of the ellipse."""
    nucleus = np.array([[0.0, 0.0, 12.0, 6.0, 0.5]])
    radii = [float(_radius(nucleus, np.array([0.5 + turn]))[0]) for turn in (0.0, np.pi / 2, 0.7)]
    assert radii[:2] == pytest.approx([6.0, 3.0])
    assert (radii[2] * np.cos(0.7) / 6) ** 2 + (radii[2] * np.sin(0.7) / 3) ** 2 == pytest.approx(1.0)
