from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from pipeline.synthetic.painting.nucleus import Stain, stamp_nuclei
from pipeline.synthetic.painting.texture import Canvas

COLUMNS = ["x_um", "y_um", "major_um", "minor_um", "orientation_rad"]
EVEN = Stain(haematoxylin=1.0, haematoxylin_cv=0.0, chromatin=0.0, vesicular=0.0, irregular=0.0)


def stamped(rows: list[tuple[float, ...]], stain: Stain = EVEN, mpp: float = 0.25):
    canvas = Canvas(round(40 / mpp), round(30 / mpp), mpp)
    return stamp_nuclei(pd.DataFrame(rows, columns=COLUMNS), stain, canvas, np.random.default_rng(0))


@pytest.mark.parametrize("mpp", [0.25, 0.5])
def test_a_nucleus_has_the_place_size_and_axis_it_was_given(mpp: float) -> None:
    labels = stamped([(20.0, 15.0, 16.0, 8.0, 0.5)], mpp=mpp).labels
    y, x = (labels == 1).nonzero()
    assert ((x.mean() + 0.5) * mpp, (y.mean() + 0.5) * mpp) == pytest.approx((20.0, 15.0), abs=0.1)
    assert len(x) * mpp**2 == pytest.approx(np.pi * 8 * 4, rel=0.02)
    covariance = np.cov(x, y)
    axis = 0.5 * np.arctan2(2 * covariance[0, 1], covariance[0, 0] - covariance[1, 1])
    assert axis == pytest.approx(0.5, abs=0.03)


def test_the_earlier_of_two_lies_on_top() -> None:
    planes = stamped([(18.0, 15.0, 12.0, 12.0, 0.0), (22.0, 15.0, 12.0, 12.0, 0.0)])
    at = (60, 72)
    assert planes.labels[at] == 1
    assert (planes.labels == 2).sum() < (planes.labels == 1).sum()


def test_density_under_another_adds_by_translucency() -> None:
    both = [(20.0, 15.0, 12.0, 12.0, 0.0)] * 2
    opaque, clear = (stamped(both, Stain(**{**vars(EVEN), "translucency": share})) for share in (0.0, 0.5))
    inside = opaque.labels == 1
    core = inside & (opaque.coverage == 1)
    assert (clear.haematoxylin[core] > 1.2 * opaque.haematoxylin[core]).all()
    assert not opaque.haematoxylin[~inside & (opaque.coverage == 0)].any()


def test_a_nucleus_beyond_the_border_is_cut_or_left_out() -> None:
    labels = stamped([(0.0, 15.0, 12.0, 12.0, 0.0), (-50.0, 15.0, 12.0, 12.0, 0.0)]).labels
    assert set(np.unique(labels)) == {0, 1}


def test_drawn_stains_differ_and_stay_within_their_bounds() -> None:
    rng = np.random.default_rng(3)
    drawn = [Stain.random(rng) for _ in range(200)]
    for field in fields(Stain):
        values = {getattr(stain, field.name) for stain in drawn}
        assert min(values) >= 0
        assert len(values) > 190 or field.name == "translucency"
    assert max(stain.tilt for stain in drawn) <= 0.9
