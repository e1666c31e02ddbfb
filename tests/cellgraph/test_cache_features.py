import h5py
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from pipeline.artefacts.features import read_features
from pipeline.cellgraph import (
    GRAPH_FEATURE_NAMES,
    ORIENTATION_FEATURE_NAMES,
    SPATIAL_FEATURE_NAMES,
    graph_features,
    graph_features_batch,
    orientation_features,
    spatial_features,
)
from pipeline.cellgraph.build_cell_graphs import build_cell_graphs
from pipeline.cellgraph.cache_features import SlideArtefacts, cache_features
from pipeline.cellgraph.features import feature_blocks
from pipeline.cellgraph.features.feature_blocks import feature_names
from pipeline.cellgraph.params import CellGraphParams, FeatureParams
from pipeline.errors import ArtefactError, SlideError
from pipeline.provenance import digests, file_digest


@pytest.fixture
def cache(tmp_path):
    def run(paths, out="f.zarr", graph=None, **params):
        graphs = tmp_path / "g.zarr"
        build_cell_graphs(*paths, graphs, slide_id="S1", params=graph or CellGraphParams(), source="abc")
        feature_params = FeatureParams(**{"min_nuclei": 5, **params})
        cache_features(SlideArtefacts("S1", *paths, graphs), tmp_path / out, feature_params, "def")
        return read_features(tmp_path / out)

    return run


def test_rows_are_the_features_of_each_tile(tile_frame, nucleus_frame, write_slide, cache):
    frame = nucleus_frame([30, 4, 40])
    store = cache(
        write_slide(tile_frame([True, True, True]), frame), graph=CellGraphParams(kind="radius", radius_um=12)
    )
    assert store.feature_names == SPATIAL_FEATURE_NAMES + GRAPH_FEATURE_NAMES + ORIENTATION_FEATURE_NAMES
    assert store.tile_id.tolist() == [0, 2]
    for row, tile in zip(store.features, store.tile_id, strict=True):
        nuclei = frame[frame["tile_id"] == tile]
        xy = nuclei[["x_um", "y_um"]].to_numpy()
        distance = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
        near, neighbours = (np.array(np.nonzero(np.triu(distance <= r, k=1))) for r in (12, 32))
        axis = nuclei["eccentricity"].to_numpy() >= 0.6
        expected = np.concatenate(
            [
                spatial_features(xy / 0.5),
                graph_features(len(xy), near),
                orientation_features(xy, nuclei["orientation_rad"], neighbours, axis_reliable=axis),
            ]
        )
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6)


def test_tiles_that_could_not_be_read_are_counted_apart(tile_frame, nucleus_frame, write_slide, cache):
    store = cache(write_slide(tile_frame([True] * 5), nucleus_frame([10, 0, 4, 0, 30]), unreadable=(1, 3)))
    assert store.tile_id.tolist() == [0, 4]
    assert store.dropped == {"fewer than 5 nuclei": 1, "unreadable": 2}


def test_store_tells_where_tiles_are_and_what_was_left_out(tile_frame, nucleus_frame, write_slide, cache):
    store = cache(write_slide(tile_frame([True, False, True, True]), nucleus_frame([10, 9, 4, 30])))
    np.testing.assert_array_equal(store.coords, [[0, 0], [600, 0]])
    assert (store.mpp, store.tile_px, store.tile_width_l0) == (0.5, 100, 200.0)
    assert store.dropped == {"fewer than 5 nuclei": 1}
    assert store.reason is None


def test_a_tile_with_just_enough_nuclei_stays(tile_frame, nucleus_frame, write_slide, cache):
    paths = write_slide(tile_frame([True, True]), nucleus_frame([12, 11]))
    assert cache(paths, min_nuclei=12).tile_id.tolist() == [0]


def test_sums_are_taken_by_one_thread(tile_frame, nucleus_frame, write_slide, cache, monkeypatch):
    threads = []

    def spectra(*arguments):
        threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return graph_features_batch(*arguments)

    monkeypatch.setattr(feature_blocks, "graph_features_batch", spectra)
    with threadpool_limits(2, user_api="blas"):
        cache(write_slide(tile_frame([True]), nucleus_frame([10])))
    assert set(threads) == {1}


def test_store_carries_the_parameters_of_every_stage(tile_frame, nucleus_frame, write_slide, cache, tmp_path):
    paths = write_slide(tile_frame([True]), nucleus_frame([10]))
    store = cache(paths, graph=CellGraphParams(radius_um=21.0))
    assert store.params["tiling"] == {"tile_px": 100}
    assert store.params["nuclei"] == {"flow_threshold": 0.4}
    assert store.params["cell_graphs"]["radius_um"] == 21.0
    assert store.params["features"]["min_nuclei"] == 5
    assert store.source == "def"
    assert "scipy" in store.packages
    paths_by_role = {"tiles": paths[0], "nuclei": paths[1], "cell_graphs": tmp_path / "g.zarr"}
    assert store.upstream == digests(paths_by_role)


EVERY_BLOCK = ["morphology", "histomicstk", "core_published", "core", "orientation", "paper"]


@pytest.mark.parametrize(
    ("blocks", "n"),
    [(["paper"], 69), (["orientation"], 31), (["orientation", "paper"], 100), (EVERY_BLOCK, 100 + 39 + 39 + 56 + 85)],
)
def test_blocks_choose_columns_in_a_fixed_order(tile_frame, nucleus_frame, write_slide, cache, blocks, n):
    store = cache(write_slide(tile_frame([True]), nucleus_frame([20])), blocks=blocks)
    assert store.features.shape == (1, n)
    assert store.feature_names == feature_names(FeatureParams(blocks=blocks))
    assert len(set(store.feature_names)) == n


def test_morphology_describes_the_measures_that_the_table_has(tile_frame, nucleus_frame, write_slide, cache):
    frame = nucleus_frame([20]).assign(convexity=np.linspace(0.5, 1.0, 20), mitotic=1.0)
    store = cache(write_slide(tile_frame([True]), frame), blocks=["morphology"])
    assert not any("mitotic" in name for name in store.feature_names)
    values = dict(zip(store.feature_names, store.features[0], strict=True))
    assert values["nucleus_convexity_median"] == pytest.approx(0.75)
    assert values["nucleus_area_um2_mean"] == pytest.approx(frame["area_um2"].mean(), rel=1e-6)


def test_patches_of_a_graph_of_the_whole_slide_keep_their_own_edges(tile_frame, nucleus_frame, write_slide, cache):
    paths = write_slide(tile_frame([True, True]), nucleus_frame([40, 30]))
    by_extent = {
        extent: cache(paths, f"{extent}.zarr", graph=CellGraphParams(kind="radius", extent=extent), blocks=["paper"])
        for extent in ("tile", "slide")
    }
    np.testing.assert_array_equal(by_extent["slide"].features, by_extent["tile"].features)


def test_undefined_values_are_marked_and_never_zero(tile_frame, nucleus_frame, write_slide, cache):
    frame = nucleus_frame([30, 8])
    # Nuclei on a line have neither triangles nor cells.
    frame.loc[frame["tile_id"] == 1, "y_um"] = 7.0
    store = cache(write_slide(tile_frame([True, True]), frame))
    area = store.feature_names.index("voronoi_area_total_px2")
    assert np.isnan(store.features[1, area])
    np.testing.assert_array_equal(store.valid, ~np.isnan(store.features))
    assert store.valid[0, area]


def test_orientation_neighbours_may_be_those_of_the_graph(tile_frame, nucleus_frame, write_slide, cache):
    paths = write_slide(tile_frame([True]), nucleus_frame([40]))
    agreement = ORIENTATION_FEATURE_NAMES.index("axis_agreement_mean")
    among = {
        kind: cache(paths, f"{kind}.zarr", blocks=["orientation"], orientation_neighbours=kind).features[0, agreement]
        for kind in ("radius", "graph")
    }
    # Neighbours in the graph differ by at most 30 degrees: cos 60 and more.
    assert among["graph"] >= 0.5 > among["radius"]


def test_radii_of_the_paper_features_follow_the_parameters(tile_frame, nucleus_frame, write_slide, cache):
    store = cache(write_slide(tile_frame([True]), nucleus_frame([20])), neighbour_radii_px=[20, 40, 60, 80, 200])
    assert store.feature_names[40] == "n_within_200px_mean"
    assert store.features[0, 40] == 19


def test_when_no_tile_has_enough_nuclei_the_reason_says_so(tile_frame, nucleus_frame, write_slide, cache):
    store = cache(write_slide(tile_frame([True, True]), nucleus_frame([41, 12])), min_nuclei=65)
    assert store.reason == "no tile has at least 65 nuclei (the fullest has 41)"
    assert store.dropped == {"fewer than 65 nuclei": 2}
    assert store.features.shape == (0, 100)
    assert store.coords.shape == (0, 2)


@pytest.mark.parametrize("empty", ["tiles", "nuclei"])
def test_an_empty_slide_hands_its_reason_on(tile_frame, write_slide, cache, empty):
    if empty == "tiles":
        paths = write_slide(None, None, tiles_reason="no tissue", nuclei_reason="no tissue")
    else:
        paths = write_slide(tile_frame([True, True]), None, nuclei_reason="no nucleus found")
    store = cache(paths)
    assert store.reason == ("no tissue" if empty == "tiles" else "no nucleus found")
    assert store.features.shape == (0, 100)
    assert store.mpp == (None if empty == "tiles" else 0.5)


def test_same_inputs_give_the_same_bytes(tile_frame, nucleus_frame, write_slide, cache, tmp_path):
    paths = write_slide(tile_frame([True, True]), nucleus_frame([30, 10]))
    cache(paths, "a.zarr")
    cache(paths, "b.zarr")
    assert file_digest(tmp_path / "a.zarr") == file_digest(tmp_path / "b.zarr")


def test_order_of_nuclei_in_the_table_does_not_matter(tile_frame, nucleus_frame, write_slide, cache):
    frame = nucleus_frame([30, 25])
    first = cache(write_slide(tile_frame([True, True]), frame), "a.zarr")
    shuffled = frame.sample(frac=1, random_state=1).assign(nucleus_id=np.arange(len(frame)))
    second = cache(write_slide(tile_frame([True, True]), shuffled), "b.zarr")
    np.testing.assert_allclose(second.features, first.features, rtol=1e-5, atol=1e-6)


def test_graphs_of_other_tables_are_refused(tile_frame, nucleus_frame, write_slide, cache, tmp_path):
    cache(write_slide(tile_frame([True]), nucleus_frame([10])))
    other = write_slide(tile_frame([True]), nucleus_frame([10], seed=5))
    with pytest.raises(ArtefactError, match=r"made from other (tiles|nuclei) than"):
        cache_features(SlideArtefacts("S1", *other, tmp_path / "g.zarr"), tmp_path / "x.zarr", FeatureParams(), "")


def test_imported_features_that_cannot_be_used_are_a_bad_slide(tile_frame, nucleus_frame, write_slide, tmp_path):
    """NaN in the file, a file that is none, and one of another slide."""
    tables, graphs = write_slide(tile_frame([True, True]), nucleus_frame([30, 40])), tmp_path / "g.zarr"
    build_cell_graphs(*tables, graphs, slide_id="S1", params=CellGraphParams(), source="abc")
    write_imported(tmp_path / "nan.h5", [[0, 0], [512, 0]], [[1, np.nan], [2, 3]])
    (tmp_path / "text.h5").write_text("no HDF5")
    write_imported(tmp_path / "far.h5", [[90_000, 0]], [[1, 2]])
    for name, words in (("nan", "NaN in row 0"), ("text", "HDF5 file"), ("far", "none of its 1 tiles lies where")):
        artefacts = SlideArtefacts("S1", *tables, graphs, tmp_path / f"{name}.h5")
        params = FeatureParams(min_nuclei=5, embedding="uni")
        with pytest.raises(SlideError, match=words):
            cache_features(artefacts, tmp_path / "f.zarr", params, "def")
        cache_features(artefacts, tmp_path / f"{name}.zarr", params, "def", "exclude")
        store = read_features(tmp_path / f"{name}.zarr")
        assert len(store.features) == len(store.coords) == len(store.tile_id) == 0
        assert store.feature_names == feature_names(params)
        assert store.reason.startswith(f"{name}.h5: ")
        assert words in store.reason


def write_imported(path, coords, values):
    with h5py.File(path, "w") as file:
        file["features"], file["coords"] = np.asarray(values, np.float32), np.asarray(coords)
