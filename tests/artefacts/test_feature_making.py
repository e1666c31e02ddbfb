import pytest

from pipeline.artefacts.feature_making import (
    differences,
    known_making,
    making_of,
    prevailing_making,
    unrecorded,
)

CACHE = {
    "mpp": 0.5,
    "tile_px": 192,
    "params": {
        "tiling": {"min_tissue_fraction": 0.5},
        "nuclei": {"segmenter": "cellpose", "weights": "he", "nucleus_diameter_um": 8.0, "batch_size": 4, "threads": 2},
        "cell_graphs": {"radius_um": 30.0},
        "features": {"blocks": ["paper"], "embedding": "uni"},
    },
    "networks": {"nuclei": "abc", "features": "uni_v1", "embeddings/conch": "conch_v15"},
}
MAKING = making_of(CACHE)


def test_facts_are_sizes_parameters_and_networks():
    assert MAKING == {
        "mpp": 0.5,
        "tile_width_um": 96.0,
        "nuclei.segmenter": "cellpose",
        "nuclei.nucleus_diameter_um": 8.0,
        "cell_graphs.radius_um": 30.0,
        "features.blocks": ["paper"],
        "nuclei.weights_digest": "abc",
        "encoder": "uni_v1",
    }


def test_another_programs_nuclei_were_segmented_by_it():
    imported = making_of({"params": {"nuclei": {"imported_from": "QuPath"}}})
    assert differences(imported, known_making([MAKING])) == ["nuclei.segmenter is QuPath, not cellpose"]


def test_encoders_of_embeddings_count_where_these_are_used():
    assert making_of(CACHE, ["conch"])["encoder of embeddings/conch"] == "conch_v15"
    assert "encoder of embeddings/uni" not in making_of(CACHE, ["uni"])


@pytest.mark.parametrize("cache", [{}, {"params": None, "networks": [], "mpp": None}, {"params": {"nuclei": "x"}}])
def test_a_cache_that_records_nothing_has_no_facts(cache):
    assert making_of(cache) == {}


def test_a_cache_without_size_of_tiles_has_its_resolution():
    assert making_of({"mpp": 0.25, "tile_px": None}) == {"mpp": 0.25}


@pytest.mark.parametrize(
    ("fact", "value", "told"),
    [
        ("tile_width_um", 56.0, "tile_width_um is 56, not 96"),
        ("mpp", 0.25, "mpp is 0.25, not 0.5"),
        ("nuclei.segmenter", "watershed", "nuclei.segmenter is watershed, not cellpose"),
        ("nuclei.weights_digest", "abd", "nuclei.weights_digest is abd, not abc"),
        ("cell_graphs.radius_um", 30.1, "cell_graphs.radius_um is 30.1, not 30"),
        ("features.blocks", ["paper", "core"], "features.blocks is ['paper', 'core'], not ['paper']"),
        ("encoder", "uni_v2", "encoder is uni_v2, not uni_v1"),
    ],
)
def test_a_difference_is_told_with_both_values(fact, value, told):
    assert differences({**MAKING, fact: value}, known_making([MAKING])) == [told]


def test_sizes_may_differ_as_magnifications_of_scanners_do():
    assert differences({"mpp": 0.465, "tile_width_um": 89.0}, known_making([MAKING])) == []


def test_what_is_not_recorded_is_no_difference_but_is_known_to_be_missing():
    partial = {"mpp": 0.5}
    assert differences(partial, known_making([MAKING])) == []
    assert "encoder" in unrecorded(partial, known_making([MAKING]))
    assert unrecorded(MAKING, known_making([partial])) == []


def test_several_values_are_all_known():
    known = known_making([{"encoder": "a"}, {"encoder": "b", "mpp": 0.5}, {"encoder": "a", "mpp": 0.51}])
    assert known == {"encoder": ["a", "b"], "mpp": [0.5]}
    assert differences({"encoder": "b"}, known) == []
    assert differences({"encoder": "c"}, known) == ["encoder is c, not a or b"]


def test_the_value_of_most_prevails_and_of_equally_many_the_first():
    assert prevailing_making([{"encoder": "a"}, {"encoder": "b"}, {"encoder": "b"}]) == {"encoder": ["b"]}
    assert prevailing_making([{"encoder": "a"}, {"encoder": "b"}]) == {"encoder": ["a"]}
    assert prevailing_making([]) == {}
