import pytest

from pipeline.cellgraph import CellGraphParams, FeatureParams
from pipeline.cellgraph.features.published_neighbourhoods import NEIGHBOUR_RADII_PX
from pipeline.errors import ConfigError


def test_defaults_are_the_published_ones_where_there_are_any():
    assert CellGraphParams().paper_radius_px == 64
    assert CellGraphParams().paper_min_cosine == 0.70
    assert FeatureParams().min_nuclei == 65
    assert FeatureParams().neighbour_radii_px == NEIGHBOUR_RADII_PX == (10, 20, 30, 40, 50)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", "voronoi"),
        ("extent", "cohort"),
        ("n_nearest", 0),
        ("n_nearest", 2.5),
        ("radius_um", 0),
        ("radius_um", float("nan")),
        ("radius_um", "32"),
        ("radius_um", True),
        ("max_delta_orientation_deg", 91),
        ("min_eccentricity", 1.0),
        ("axisless_nuclei", "drop"),
        ("paper_radius_px", -1),
        ("paper_min_cosine", 1.1),
    ],
)
def test_bad_graph_parameter_is_named_with_what_was_found(key, value):
    with pytest.raises(ConfigError, match=rf"cell_graphs\.{key}: expected .*found"):
        CellGraphParams(**{key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("min_nuclei", 0),
        ("min_nuclei", 2.5),
        ("min_nuclei", True),
        ("blocks", []),
        ("blocks", ["paper", "paper"]),
        ("blocks", ["colour"]),
        ("blocks", "paper"),
        ("neighbour_radii_px", [10, 20]),
        ("neighbour_radii_px", [10, 20, 30, 50, 40]),
        ("orientation_neighbours", "knn"),
        ("orientation_radius_um", 0),
    ],
)
def test_bad_feature_parameter_is_named_with_what_was_found(key, value):
    with pytest.raises(ConfigError, match=rf"features\.{key}: expected .*found"):
        FeatureParams(**{key: value})


def test_lists_of_a_config_become_tuples_in_the_order_of_the_store():
    params = FeatureParams(blocks=["orientation", "paper"], neighbour_radii_px=[5, 10, 15, 20, 25])
    assert params.blocks == ("paper", "orientation")
    assert params.neighbour_radii_px == (5.0, 10.0, 15.0, 20.0, 25.0)
    assert hash(params) == hash(FeatureParams(neighbour_radii_px=(5.0, 10.0, 15.0, 20.0, 25.0)))
