import numpy as np
import pytest
import shapely

from pipeline.artefacts.foreign_nuclei.found_nuclei import MEASURES, centroids, measure_name, polygons_of, types_of


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("area_um2", "area_um2"),
        (" eccentricity", "eccentricity"),
        ("Nucleus: Area µm^2", "~area_um2"),
        ("Nucleus: Area μm^2", "~area_um2"),
        ("Hematoxylin OD mean", "~mean_haematoxylin"),
        ("Area px^2", None),
        ("x_um", None),
    ],
)
def test_a_measure_is_known_by_our_name_or_by_that_of_another_program(name, column):
    assert measure_name(name) == column


def test_places_and_outlines_are_no_measures():
    assert {"x_um", "y_um", "contour_um"}.isdisjoint(MEASURES)
    assert len(MEASURES) == 18


def test_classes_that_tell_no_type_are_none():
    assert types_of(["Tumor", "nucleus", "", None, " Cell ", "3"]) == ["Tumor", None, None, None, None, "3"]


def test_polygons_have_their_holes_and_none_has_no_centroid():
    square, hole = [(0, 0), (4, 0), (4, 4), (0, 4)], [(1, 1), (2, 1), (2, 2)]
    with_hole, plain = polygons_of([[square, hole], [square]])
    assert (with_hole.area, plain.area) == (15.5, 16)
    places = centroids(np.array([plain, None], dtype=object))
    np.testing.assert_array_equal(places, [[2, 2], [np.nan, np.nan]])
    assert polygons_of([]).shape == (0,)
    assert shapely.is_valid(with_hole)
