import numpy as np
import pytest
import shapely
from shapely import affinity

from pipeline.nuclei.imported.outline_measures import measure_outlines


def measures(*shapes):
    return measure_outlines(np.array([*shapes, None], dtype=object)[: len(shapes)]).to_dict("records")


def ellipse(major, minor, angle_deg, x=0.0, y=0.0):
    unit = shapely.Point(0, 0).buffer(0.5, quad_segs=128)
    turned = affinity.rotate(affinity.scale(unit, major, minor), angle_deg, origin=(0, 0))
    return affinity.translate(turned, x, y)


@pytest.mark.parametrize("angle", [0, 30, 90, 179])
def test_an_ellipse_has_its_axes_wherever_it_lies(angle):
    (found,) = measures(ellipse(10, 6, angle, 41_000, 7_000))
    assert found["major_axis_um"] == pytest.approx(10, rel=1e-3)
    assert found["minor_axis_um"] == pytest.approx(6, rel=1e-3)
    assert found["eccentricity"] == pytest.approx(0.8, rel=1e-3)
    assert np.sin(found["orientation_rad"] - np.deg2rad(angle)) == pytest.approx(0, abs=1e-6)
    assert 0 <= found["orientation_rad"] < np.pi
    assert found["orientation_reliability"] == pytest.approx((100 - 36) / (100 + 36), rel=1e-3)
    assert found["area_um2"] == pytest.approx(np.pi * 60 / 4, rel=1e-3)
    assert (found["solidity"], found["convexity"]) == pytest.approx((1, 1))


def test_a_rectangle_by_hand():
    (found,) = measures(shapely.box(0, 0, 2, 4))
    # Variance of a side a is a^2 / 12; the full axis of the ellipse is four times its root.
    assert found["major_axis_um"] == pytest.approx(4 * np.sqrt(16 / 12))
    assert found["minor_axis_um"] == pytest.approx(4 * np.sqrt(4 / 12))
    assert found["orientation_rad"] == pytest.approx(np.pi / 2)
    assert found["perimeter_um"] == 12
    assert found["equivalent_diameter_um"] == pytest.approx(np.sqrt(32 / np.pi))


def test_holes_and_pieces_count_whichever_way_their_corners_go_round():
    shell, hole = [(0, 0), (4, 0), (4, 4), (0, 4)], [(1, 1), (1, 3), (3, 3), (3, 1)]
    plain = measures(shapely.Polygon(shell, [hole]))[0]
    assert plain["area_um2"] == 12
    assert plain["solidity"] == 0.75
    assert plain["major_axis_um"] == pytest.approx(4 * np.sqrt((16 * 16 / 12 - 4 * 4 / 12) / 12))
    assert measures(shapely.Polygon(shell[::-1], [hole[::-1]]))[0] == pytest.approx(plain)
    two = measures(shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(3, 0, 4, 1)]))[0]
    # Between the pieces 1.5^2, within each 1/12.
    assert two["major_axis_um"] == pytest.approx(4 * np.sqrt(1.5**2 + 1 / 12))


def test_without_an_outline_or_an_area_nothing_is_known():
    found = measure_outlines(np.array([None, shapely.Polygon([(0, 0), (1, 1), (0, 0)]), shapely.box(0, 0, 1, 1)]))
    assert found.iloc[:2].isna().all(axis=None)
    assert found.iloc[2].notna().all()
    assert measure_outlines(np.empty(0, dtype=object)).empty
