import numpy as np
import pandas as pd

from pipeline.nuclei.imported.owners import owners


def grid(width_l0, n):
    row, col = (axis.ravel() for axis in np.indices((n, n)))
    corners = {"x_l0": np.rint(col * width_l0).astype(int), "y_l0": np.rint(row * width_l0).astype(int)}
    return pd.DataFrame({"tile_id": 10 + np.arange(n * n), **corners, "width_l0": width_l0, "row": row, "col": col})


def test_a_nucleus_has_the_tile_that_holds_it_and_on_a_border_the_later_one():
    tiles = grid(10.0, 2)
    points = np.array([[0, 0], [5, 4.99], [5, 5], [4.99, 5], [9.99, 9.99], [10, 0], [-0.01, 0]])
    assert owners(points, tiles, 0.5).tolist() == [10, 11, 13, 12, 13, -1, -1]


def test_every_point_of_a_rounded_grid_has_one_owner_as_its_boxes_say():
    tiles = grid(10.37, 9)
    points = np.random.default_rng(0).uniform(0, 9 * 10.37 - 0.6, (5000, 2))
    owner = owners(points, tiles, 1.0)
    edges = np.rint(np.arange(10) * 10.37)
    col, row = (np.searchsorted(edges, points[:, axis], side="right") - 1 for axis in (0, 1))
    assert owner.tolist() == (10 + row * 9 + col).tolist()


def test_without_tiles_or_nuclei_there_is_no_owner():
    assert owners(np.zeros((2, 2)), grid(10.0, 0), 1.0).tolist() == [-1, -1]
    assert owners(np.zeros((0, 2)), grid(10.0, 2), 1.0).shape == (0,)
    assert owners(np.array([[1.0, 1.0]]), grid(10.0, 1), 1.0).tolist() == [10]
