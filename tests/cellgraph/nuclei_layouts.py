"""Layouts of nuclei that break geometry, and random ones, as hypothesis strategies."""

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Decorator of property tests: few examples, no deadline on a busy machine."""

SPECIAL = {
    "none": [],
    "one": [(3.0, 4.0)],
    "two": [(0.0, 0.0), (3.0, 4.0)],
    "two at one place": [(1.0, 1.0)] * 2,
    "three on a line": [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)],
    "triangle": [(0.0, 0.0), (4.0, 0.0), (0.0, 3.0)],
    "five at one place": [(7.0, 7.0)] * 5,
    "twelve on a line": [(float(i), 2.0 * i) for i in range(12)],
    "vertical line": [(5.0, float(i * i)) for i in range(9)],
    "grid": [(float(i), float(j)) for i in range(6) for j in range(5)],
    "grid with repeats": [(float(i % 4), float(i // 4 % 3)) for i in range(30)],
    "circle": [(50 * np.cos(a), 50 * np.sin(a)) for a in np.arange(24) * np.pi / 12],
    "circle and centre": [(0.0, 0.0), *((50 * np.cos(a), 50 * np.sin(a)) for a in np.arange(8) * np.pi / 4)],
    "almost on a line": [(i / 3, 2 * i / 3 + 1e-13 * (i % 3)) for i in range(20)],
    "almost at one place": [(1.0 + 1e-15 * i, 1.0 - 1e-15 * i) for i in range(6)],
}
"""By name, n points as pairs."""


@st.composite
def scattered(draw, min_size=8, max_size=40):
    """Points at random in 512 px: no two at one place, no three on a line, no four on a circle."""
    n = draw(st.integers(min_size, max_size))
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1))).uniform(0, 512, (n, 2))


@st.composite
def any_layout(draw):
    """Any number of points: whole numbers on a small or large board, doubled points, points on lines, or at random."""
    side = draw(st.sampled_from([2, 6, 512]))
    coordinate = st.integers(0, side) if draw(st.booleans()) else st.floats(0, side, allow_subnormal=False)
    return np.array(draw(st.lists(st.tuples(coordinate, coordinate), max_size=25)), float).reshape(-1, 2)


@st.composite
def random_graph(draw, max_nodes=14):
    """Number of nodes and an edge list (2, m), possibly with repeats, both directions and self-loops."""
    n = draw(st.integers(0, max_nodes))
    node = st.integers(0, max(n - 1, 0))
    edges = draw(st.lists(st.tuples(node, node), max_size=3 * n)) if n else []
    return n, np.array(edges, np.int64).reshape(-1, 2).T


@st.composite
def any_nuclei(draw):
    """A layout, special or any, with axes that may be missing: centroids (n, 2), axes (n,), which are reliable (n,)."""
    points = draw(st.one_of(any_layout(), st.sampled_from(sorted(SPECIAL)).map(lambda name: SPECIAL[name])))
    xy = np.array(points, float).reshape(-1, 2)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    theta = np.where(random.random(len(xy)) < 0.1, np.nan, random.uniform(0, np.pi, len(xy)))
    return xy, theta, (random.random(len(xy)) < 0.8) & np.isfinite(theta)
