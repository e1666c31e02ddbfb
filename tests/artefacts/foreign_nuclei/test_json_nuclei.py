import numpy as np
import pytest

from pipeline.artefacts.foreign_nuclei.json_nuclei import cellvit_nuclei, hover_net_nuclei
from pipeline.errors import ImportedFileError

TRACED = [[0, 0], [3, 0], [3, 3], [0, 3]]
"""Way through the border pixels of a nucleus of 4 x 4 pixels."""


def test_hover_net_traces_pixels_whose_centres_lie_half_a_pixel_in():
    nuclei = {"1": {"centroid": [1.5, 1.5], "contour": TRACED, "type": 2}, "2": {"centroid": [9, 9], "type": 0}}
    found = hover_net_nuclei({"mag": 40, "nuc": nuclei}, "a.json")
    np.testing.assert_array_equal(found.frame[["x", "y"]], [[2, 2], [9.5, 9.5]])
    assert found.outlines[0].area == pytest.approx(16)
    assert found.outlines[0].bounds == (0, 0, 4, 4)
    assert found.outlines[1] is None
    assert found.frame["type"].tolist() == ["2", None]
    assert (found.magnification, found.origin) == (40, "level 0")
    assert hover_net_nuclei({"mag": None, "nuc": nuclei}, "a.json").magnification is None


@pytest.mark.parametrize("type_map", [{"1": "Neoplastic"}, {"1": ["Neoplastic", [255, 0, 0]]}])
def test_cellvit_names_its_types(type_map):
    cells = [{"centroid": None, "contour": TRACED, "type": 1}, {"centroid": [5, 5], "contour": [], "type": 4}]
    found = cellvit_nuclei({"type_map": type_map, "cells": cells}, "c.json")
    assert found.frame["type"].tolist() == ["Neoplastic", "4"]
    np.testing.assert_allclose(found.frame[["x", "y"]], [[2, 2], [5.5, 5.5]])
    assert found.kind == "CellViT JSON"


def test_a_contour_that_crosses_itself_and_one_of_two_points():
    crossing = [[0, 0], [4, 4], [4, 0], [0, 4]]
    nuclei = [{"centroid": [2, 2], "contour": crossing}, {"centroid": [2, 2], "contour": [[0, 0], [1, 1]]}]
    outlines = cellvit_nuclei({"cells": nuclei}, "c.json").outlines
    assert outlines[0].is_valid
    assert outlines[1] is None


@pytest.mark.parametrize(
    ("nuclei", "message"),
    [
        ([{"type": 1}], "nucleus 0 .* neither a centroid nor a contour"),
        ([{"centroid": ["a", 1]}], "nucleus 0 .* two numbers"),
        ([{"centroid": [1, 1]}, {"centroid": [1, float("inf")]}], "nucleus 1 .* not finite"),
        ([{"centroid": [1, 10**400]}], "nucleus 0 .* two numbers"),
        ([3], "as objects"),
        ("x", "as objects"),
    ],
)
def test_what_is_no_nucleus_is_named(nuclei, message):
    with pytest.raises(ImportedFileError, match=message):
        cellvit_nuclei({"cells": nuclei}, "c.json")


@pytest.mark.parametrize("given", [{}, [1], {"a": [1]}])
def test_a_type_of_any_kind_is_taken_as_text(given):
    found = cellvit_nuclei({"type_map": {"1": "a"}, "cells": [{"centroid": [5, 5], "type": given}]}, "c.json")
    assert found.frame["type"].tolist() == [str(given)]
