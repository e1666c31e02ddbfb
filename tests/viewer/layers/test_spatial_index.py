import numpy as np
import pytest

from pipeline.viewer.layers.spatial_index import SpatialIndex


@pytest.mark.parametrize("cell", [3.0, 17.0, 500.0])
def test_points_of_a_box_are_those_that_a_look_at_all_finds(cell: float) -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform(-40, 200, (2000, 2))
    index = SpatialIndex(points, cell)
    for _ in range(40):
        x0, y0 = rng.uniform(-80, 200, 2)
        box = (x0, y0, x0 + rng.uniform(0, 150), y0 + rng.uniform(0, 150))
        inside = np.flatnonzero(((points >= box[:2]) & (points < box[2:])).all(axis=1))
        assert index.points_in(box).tolist() == inside.tolist()
        assert index.count_about(box) >= len(inside)


@pytest.mark.parametrize("box", [(0.0, 0.0, 1.0, 1.0), (-1e12, -1e12, 1e12, 1e12)])
def test_there_may_be_no_point(box: tuple[float, float, float, float]) -> None:
    index = SpatialIndex(np.zeros((0, 2)), 10)
    assert index.points_in(box).tolist() == []
    assert index.count_about(box) == 0


def test_one_point_is_found_wherever_it_lies() -> None:
    index = SpatialIndex(np.array([[5.0, 7.0]]), 10)
    assert index.points_in((5, 7, 6, 8)).tolist() == [0]
    assert index.points_in((0, 0, 5, 7)).tolist() == []
    assert index.count_about((-1e9, -1e9, 1e9, 1e9)) == 1
