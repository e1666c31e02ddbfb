from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import ConfigError
from pipeline.provenance import file_digest
from pipeline.synthetic.painted import (
    COUPLED,
    FREE,
    NUCLEI_PER_MM2,
    TYPES,
    PaintedParams,
    dense_types,
    paint_image,
    plan_images,
    true_edges,
    write_painted_cohort,
)

PARAMS = PaintedParams(n_images=40, n_unlabelled=1)
SMALL = PaintedParams(n_images=2, n_unlabelled=1, n_types=2, tiles_per_type=2, n_cols=2)


def test_types_are_as_frequent_as_each_other_and_half_the_tiles_are_dense():
    for image in plan_images(PARAMS, seed=3):
        assert sorted(np.bincount(image.tissue, minlength=len(TYPES))) == [0] * 4 + [8] * 4
        assert image.dense.sum() == 16


def test_density_goes_with_the_type_in_one_class_only():
    for image in plan_images(PARAMS, seed=3):
        dense = sorted(int(image.dense[image.tissue == tissue].sum()) for tissue in np.unique(image.tissue))
        assert dense == {COUPLED: [0, 0, 8, 8], FREE: [4, 4, 4, 4]}[image.label]


def test_the_control_is_arranged_without_regard_to_the_class():
    coupled = {COUPLED: [], FREE: []}
    for image in plan_images(replace(PARAMS, n_images=400, planted=False), seed=3):
        first = image.dense[image.tissue == image.tissue[0]]
        coupled[image.label].append(len(set(first.tolist())) == 1)
    # Means of 200 fair coins: SD 0.035.
    assert np.mean(coupled[COUPLED]) == pytest.approx(0.5, abs=0.13)
    assert np.mean(coupled[FREE]) == pytest.approx(0.5, abs=0.13)


def test_dense_types_are_like_sparse_ones_where_that_can_be():
    keys = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
    for seed in range(5):
        dense = dense_types(keys, np.random.default_rng(seed))
        assert keys[dense].sum(axis=0).tolist() == keys[~dense].sum(axis=0).tolist() == [1, 1]


def test_true_edges_join_tiles_of_one_type():
    image = plan_images(PARAMS, seed=3)[0]
    first, second = true_edges(image)
    assert len(first) == 4 * 8 * 7 / 2
    assert (first < second).all()
    assert (image.tissue[first] == image.tissue[second]).all()


def test_dense_tiles_hold_more_nuclei():
    image = plan_images(SMALL, seed=0)[0]
    nuclei = paint_image(image, SMALL, seed=0).nuclei
    tile = (nuclei["y"] // SMALL.tile_px * 2 + nuclei["x"] // SMALL.tile_px).astype(int)
    counts = np.bincount(tile, minlength=4)
    expected = np.array(NUCLEI_PER_MM2)[image.dense.astype(int)] * 0.064**2
    np.testing.assert_allclose(counts, expected, atol=1)


def test_a_written_cohort_is_reproducible_and_names_its_truth(tmp_path):
    sheets = [write_painted_cohort(tmp_path / name, SMALL, seed=9) for name in ("a", "b")]
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b")
    sheet = pd.read_csv(sheets[0], keep_default_na=False)
    assert sheet["slide_id"].tolist() == ["s001", "s002", "new01"]
    assert sheet["label"].tolist() == [COUPLED, FREE, ""]
    assert sheet["case_id"].is_unique
    assert all((tmp_path / "a" / path).is_file() for path in sheet["path"])
    image = plan_images(SMALL, seed=9)[1]
    edges = pd.read_csv(tmp_path / "a/truth/s002.edges.csv")
    assert edges.columns.tolist() == ["x_l0", "y_l0", "other_x_l0", "other_y_l0"]
    numbers = [edges[y] // 128 * 2 + edges[x] // 128 for x, y in (("x_l0", "y_l0"), ("other_x_l0", "other_y_l0"))]
    np.testing.assert_array_equal(numbers, true_edges(image))
    tiles = pd.read_csv(tmp_path / "a/truth/s002.tiles.csv")
    assert tiles["dense"].tolist() == image.dense.astype(int).tolist()
    assert tiles[["large", "elongated", "aligned"]].to_numpy().tolist() == [list(TYPES[t]) for t in image.tissue]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"n_images": 1}, "n_images"),
        ({"n_types": 3}, "n_types is 3"),
        ({"tiles_per_type": 5}, "tiles_per_type is 5"),
        ({"n_cols": 5}, "divisor of 32"),
        ({"tile_um": 0.0}, "tile_um"),
    ],
)
def test_impossible_cohorts_are_refused(values, words):
    with pytest.raises(ConfigError, match=words):
        PaintedParams(**values)
