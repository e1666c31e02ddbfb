import logging
from dataclasses import replace

import numpy as np
import pytest

from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.errors import ArtefactError, CohortError
from pipeline.training.cohort.cohort_nodes import (
    CohortNodes,
    SlideNodes,
    StoredNodes,
    load_nodes,
    nearest_distance,
    nonempty,
)
from pipeline.training.params import ReadingParams

NOTHING_HELD = ReadingParams(memory_gib=0)


def store(slide_id, names, n=3, **changes):
    coords = np.stack([np.arange(n) * 512, np.zeros(n)], axis=1).astype(np.int64)
    features = np.ones((n, len(names)), np.float32)
    return FeatureStore(slide_id, features, tuple(names), coords, np.arange(n), **{"tile_width_l0": 512.0, **changes})


def test_coordinates_are_in_tile_sides(tmp_path):
    write_features(tmp_path / "a.zarr", store("a", ["x", "y"]))
    cohort = load_nodes(tmp_path, ["a"])
    assert cohort.slides["a"].coords[:, 0].tolist() == [0, 1, 2]
    assert cohort.feature_names == ("x", "y")


def test_without_a_tile_side_the_nearest_tile_gives_it(tmp_path):
    write_features(tmp_path / "a.zarr", store("a", ["x"], tile_width_l0=None))
    assert load_nodes(tmp_path, ["a"]).slides["a"].coords[:, 0].tolist() == [0, 1, 2]
    assert nearest_distance(np.array([[7, 7]])) == 1
    assert nearest_distance(np.array([[7, 7], [7, 7]])) == 1


def test_embeddings_stand_beside_the_features_in_the_order_asked_for(tmp_path):
    values = {
        "uni": np.full((3, 2), 5, np.float32),
        "b": np.full((3, 1), 7, np.float32),
        "c": np.zeros((3, 9), np.float32),
    }
    write_features(tmp_path / "a.zarr", store("a", ["x"], embeddings=values))
    write_features(tmp_path / "empty.zarr", store("empty", [], n=0, reason="no tissue"))
    cohort = load_nodes(tmp_path, ["a", "empty"], ["uni", "b"])
    assert cohort.feature_names == ("x", "uni/0", "uni/1", "b/0")
    assert cohort.slides["a"].x.tolist() == [[1, 5, 5, 7]] * 3
    with pytest.raises(CohortError, match=r"slide a: .*no embedding 'gigapath'.*found b, c, uni"):
        load_nodes(tmp_path, ["a"], ["gigapath"])


def test_empty_slides_need_no_feature_names(tmp_path):
    write_features(tmp_path / "a.zarr", store("a", ["x"]))
    write_features(tmp_path / "b.zarr", store("b", [], n=0, reason="no tissue"))
    cohort = load_nodes(tmp_path, ["b", "a"])
    assert cohort.feature_names == ("x",)
    with pytest.raises(CohortError, match=r"slide b: .*no tissue.*split again"):
        nonempty(cohort, ["a", "b"])


def test_the_digest_sees_names_values_and_places():
    x, coords = np.arange(6, dtype=np.float32).reshape(3, 2), np.zeros((3, 2), np.float32)
    cohorts = [
        CohortNodes({"a": SlideNodes(x, coords)}, ("f", "g")),
        CohortNodes({"a": SlideNodes(x, coords)}, ("f", "h")),
        CohortNodes({"b": SlideNodes(x, coords)}, ("f", "g")),
        CohortNodes({"a": SlideNodes(x + 1, coords)}, ("f", "g")),
        CohortNodes({"a": SlideNodes(x.reshape(2, 3), coords)}, ("f", "g")),
        CohortNodes({"a": SlideNodes(x, coords + 1)}, ("f", "g")),
    ]
    assert len({cohort.digest for cohort in cohorts}) == len(cohorts)
    one, two = SlideNodes(x, coords), SlideNodes(-x, coords)
    assert CohortNodes({"a": one, "b": two}, ()).digest == CohortNodes({"b": two, "a": one}, ()).digest


def test_features_beyond_the_memory_stay_in_their_files_and_are_the_same(tmp_path, caplog):
    """Three images of 3 x 3 values, 36 bytes each and twice in memory: 160 bytes hold two of them."""
    beside = {"uni": np.full((3, 1), 5, np.float32)}
    for slide_id in "abc":
        write_features(tmp_path / f"{slide_id}.zarr", store(slide_id, ["x", "y"], embeddings=beside))
    held = load_nodes(tmp_path, ["a", "b", "c"], ["uni"])
    with caplog.at_level(logging.INFO, logger="abignet.training"):
        cohort = load_nodes(tmp_path, ["a", "b", "c"], ["uni"], ReadingParams(memory_gib=160 / 2**30))
    assert "1 of 3 images are read from their caches at every use" in caplog.text
    assert [type(nodes) for nodes in cohort.slides.values()] == [SlideNodes, SlideNodes, StoredNodes]
    assert cohort.digest == held.digest
    assert [cohort.n_patches(slide_id) for slide_id in "abc"] == [3, 3, 3]
    np.testing.assert_array_equal(cohort.slides["c"].x, held.slides["c"].x)
    np.testing.assert_array_equal(cohort.slides["c"].coords, held.slides["c"].coords)
    with pytest.raises(CohortError, match="no embedding 'b'"):
        load_nodes(tmp_path, ["a", "c"], ["b"])


def test_a_file_that_changes_while_it_is_used_is_refused(tmp_path):
    first = store("a", ["x", "y"])
    write_features(tmp_path / "a.zarr", first)
    nodes = load_nodes(tmp_path, ["a"], reading=NOTHING_HELD).slides["a"]
    write_features(tmp_path / "a.zarr", first)
    np.testing.assert_array_equal(nodes.x, first.features)
    write_features(tmp_path / "a.zarr", replace(first, features=first.features + 1))
    with pytest.raises(ArtefactError, match=r"a\.zarr: its features changed while .* start it again"):
        _ = nodes.x


def test_a_chunk_that_is_lost_while_it_is_used_is_an_error(tmp_path):
    write_features(tmp_path / "a.zarr", store("a", ["x", "y"]))
    nodes = load_nodes(tmp_path, ["a"], reading=NOTHING_HELD).slides["a"]
    next(path for path in (tmp_path / "a.zarr/features/c").rglob("*") if path.is_file()).unlink()
    with pytest.raises(ArtefactError, match=r"a\.zarr: its features changed"):
        _ = nodes.x


def test_damaged_and_missing_files_are_errors(tmp_path):
    with pytest.raises(ArtefactError, match="slide a"):
        load_nodes(tmp_path, ["a"])


def test_a_store_of_another_slide_under_this_slides_name_is_refused(tmp_path):
    write_features(tmp_path / "a.zarr", store("b", ["x"]))
    with pytest.raises(ArtefactError, match=r"a\.zarr: expected features of slide a, found those of 'b'"):
        load_nodes(tmp_path, ["a"])


def test_a_sheet_may_know_a_store_under_another_id(tmp_path):
    write_features(tmp_path / "b.zarr", store("b", ["x"]))
    assert load_nodes({"a": tmp_path / "b.zarr"}, ["a"]).n_patches("a") == 3


def test_how_features_were_made_is_read_with_them(tmp_path):
    networks = {"features": "uni", "embeddings/b": "conch", "embeddings/c": "other"}
    values = {name: np.zeros((3, 1), np.float32) for name in "bc"}
    write_features(tmp_path / "a.zarr", store("a", ["x"], mpp=0.5, tile_px=192, networks=networks, embeddings=values))
    write_features(tmp_path / "bare.zarr", store("bare", [], n=0, reason="no tissue", mpp=0.25))
    assert load_nodes(tmp_path, ["a", "bare"], ["b"]).makings == {
        "a": {"mpp": 0.5, "tile_width_um": 96.0, "encoder": "uni", "encoder of embeddings/b": "conch"}
    }
