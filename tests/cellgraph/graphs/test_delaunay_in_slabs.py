import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from pipeline.cellgraph.graphs.delaunay import IN_ONE_PIECE, all_triangles
from pipeline.cellgraph.graphs.delaunay_in_slabs import delaunay_by_slabs
from tests.cellgraph.nuclei_layouts import quick


def _in_order(points):
    return points[np.lexsort(points.T[::-1])]


def _as_set(triangles):
    return {tuple(sorted(t)) for t in triangles.tolist()}


@quick
@given(st.integers(0, 10**6), st.integers(20, 200), st.floats(0.1, 10))
def test_slabs_find_the_triangles_that_qhull_finds_at_once(seed, sites_per_slab, stretch):
    sites = _in_order(np.random.default_rng(seed).uniform(0, 100, (600, 2)) * [stretch, 1])
    triangles = delaunay_by_slabs(sites, sites_per_slab=sites_per_slab)
    assert _as_set(triangles) == _as_set(Delaunay(sites).simplices)
    assert len(triangles) == len(_as_set(triangles))


def test_clusters_far_apart_are_joined_as_by_qhull():
    random = np.random.default_rng(2)
    centres = random.uniform(0, 1000, (12, 2))
    sites = _in_order(centres[random.integers(0, 12, 900)] + random.normal(0, 4, (900, 2)))
    assert _as_set(delaunay_by_slabs(sites, sites_per_slab=100)) == _as_set(Delaunay(sites).simplices)


@pytest.mark.parametrize(
    "sites",
    [
        np.stack([np.arange(300.0), 2 * np.arange(300.0)], axis=1),
        np.stack([np.repeat(np.arange(20.0), 20), np.tile(np.arange(20.0), 20)], axis=1),
    ],
    ids=["line", "grid"],
)
def test_where_slabs_do_not_tell_they_say_so_or_fill_the_hull(sites):
    triangles = delaunay_by_slabs(sites, sites_per_slab=50)
    if triangles is not None:
        a, b, c = (sites[triangles[:, i]] for i in range(3))
        assert np.abs(np.cross(b - a, c - a)).sum() / 2 == pytest.approx(19**2)
    else:
        assert len(all_triangles(sites, np.array([0, len(sites)]))) in (0, 2 * 19**2)


@pytest.mark.slow
def test_many_sites_go_by_slabs_and_close_the_hull():
    sites = _in_order(np.random.default_rng(0).uniform(0, 1e4, (IN_ONE_PIECE + 1, 2)))
    assert _as_set(all_triangles(sites, np.array([0, len(sites)]))) == _as_set(Delaunay(sites).simplices)
