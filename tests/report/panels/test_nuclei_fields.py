from pathlib import Path

import numpy as np
import pytest

from pipeline.report.figures.field_of_view import FieldOfView
from pipeline.report.panels.nuclei_fields import STEPS, read_nuclei_fields
from tests.report.panels.unpacking import unpacked
from tests.report.slide_tables import SLIDE_MPP, nuclei_frame, write_nucleus_table


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three nuclei: two in the first 64 px, one beyond."""
    places = np.array([[16.0, 32.0], [48.0, 32.0], [80.0, 32.0]]) * SLIDE_MPP
    write_nucleus_table(
        tmp_path / "s.parquet", nuclei_frame(*places.T, np.array([0.0, 1.0, 2.0]), np.zeros(3)), "s", None
    )
    return tmp_path / "s.parquet"


def test_a_field_holds_the_nuclei_whose_centre_lies_in_it(table: Path) -> None:
    squares = [
        (7, FieldOfView(0, 0, 64, 64, 1.0)),
        (3, FieldOfView(64, 0, 64, 64, 1.0)),
        (1, FieldOfView(640, 0, 64, 64, 1)),
    ]
    first, second, none = (field.plain(SLIDE_MPP) for field in read_nuclei_fields(table, SLIDE_MPP, squares))
    assert first["node"] == 7
    assert unpacked(first["centre"]).reshape(-1, 2) / STEPS == pytest.approx(
        np.array([[0.25, 0.5], [0.75, 0.5]]), abs=1e-3
    )
    assert unpacked(first["axis"]) * np.pi / 65535 == pytest.approx([0.0, 1.0], abs=1e-3)
    assert unpacked(second["centre"]) / STEPS == pytest.approx([0.25, 0.5], abs=1e-3)
    assert unpacked(none["axis"]).size == unpacked(none["contour"]).size == 0
    assert first["sideUm"] == 64 * SLIDE_MPP


def test_outlines_surround_their_centre(table: Path) -> None:
    (field,) = read_nuclei_fields(table, SLIDE_MPP, [(0, FieldOfView(0, 0, 64, 64, 1.0))])
    told = field.plain(SLIDE_MPP)
    counts, points = unpacked(told["points"]), unpacked(told["contour"]).reshape(-1, 2)
    assert counts.sum() == len(points)
    for centre, ring in zip(
        unpacked(told["centre"]).reshape(-1, 2), np.split(points, np.cumsum(counts)[:-1]), strict=True
    ):
        assert (ring.min(axis=0) < centre).all()
        assert (ring.max(axis=0) > centre).all()
