from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import CohortError, ConfigError
from pipeline.synthetic.mosaic import (
    MosaicParams,
    make_mosaics,
    mosaic_ceiling,
    ranked_by_fold,
    within_source_axes,
    write_mosaics,
)
from pipeline.synthetic.planting.real_sources import Source

PARAMS = MosaicParams(n_images=40, n_sources=4, patches_per_source=4, folds=2)


def sources_of(n=24, n_patches=20, seed=0):
    """Sources far apart; within each, patches differ most along the last column, whose numbers name no source."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(n):
        features = 0.1 * rng.normal(size=(n_patches, 6)) + 5 * rng.normal(size=6)
        features[:, 5] += rng.permutation(np.linspace(-3, 3, n_patches))
        found.append(Source(f"slide{number}", f"patient{number // 2}", features.astype(np.float32)))
    return found


SOURCES = sources_of()


def row_names(sources):
    return {tuple(row): (source, place) for source in sources for place, row in enumerate(source.features)}


def test_the_axis_is_what_differs_most_within_sources():
    axis = within_source_axes(SOURCES, 1)[:, 0]
    np.testing.assert_allclose(np.abs(axis), [0, 0, 0, 0, 0, 1], atol=0.02)


def test_true_edges_join_the_patches_of_one_source_and_of_no_other():
    names = row_names(SOURCES)
    for image in make_mosaics(SOURCES, PARAMS, seed=1):
        slides = [names[tuple(row)][0].slide_id for row in image.features]
        assert len(set(map(tuple, image.features))) == len(image.features) == 16
        joined = {tuple(pair) for pair in image.pairs.T.tolist()}
        assert joined == {(i, j) for i in range(16) for j in range(i + 1, 16) if slides[i] == slides[j]}


def test_patches_of_a_source_are_on_one_side_in_class_1_and_on_both_in_class_0():
    names = row_names(SOURCES)
    for image in make_mosaics(SOURCES, PARAMS, seed=1):
        sides: dict[str, list[bool]] = {}
        for row in image.features:
            source, place = names[tuple(row)]
            rank = np.argsort(np.argsort(source.features[:, 5]))[place]
            assert rank < 5 or rank >= 15
            sides.setdefault(source.slide_id, []).append(bool(rank >= 15))
        high = [sum(of_source) for of_source in sides.values()]
        assert sorted(high) == ([0, 0, 4, 4] if image.label == "1" else [2, 2, 2, 2])


def test_folds_share_no_patient_and_hold_both_classes():
    names = row_names(SOURCES)
    patients, labels = {0: set(), 1: set()}, {0: [], 1: []}
    for image in make_mosaics(SOURCES, PARAMS, seed=1):
        patients[image.fold] |= {names[tuple(row)][0].case_id for row in image.features}
        labels[image.fold].append(image.label)
    assert not patients[0] & patients[1]
    assert all(sorted(of_fold) == ["0"] * 10 + ["1"] * 10 for of_fold in labels.values())


def test_mosaics_do_not_depend_on_how_many_there_are():
    few, later = make_mosaics(SOURCES, replace(PARAMS, n_images=6), seed=1), make_mosaics(SOURCES, PARAMS, 1, first=4)
    np.testing.assert_array_equal(few[5].features, later[1].features)


def test_the_control_is_arranged_without_regard_to_the_class():
    ceiling = mosaic_ceiling(SOURCES, replace(PARAMS, planted=False), seed=0)
    # 1,500 fair coins: SD 0.013.
    assert ceiling.true_edges == pytest.approx(0.5, abs=0.06)
    assert mosaic_ceiling(SOURCES, PARAMS, seed=0).true_edges > 0.95


def test_too_few_sources_are_told():
    with pytest.raises(CohortError, match="a fold has 2 of the 6 source images with at least 20 patches"):
        make_mosaics([*SOURCES[:6], *sources_of(8, n_patches=19, seed=1)], PARAMS, seed=0)
    with pytest.raises(CohortError, match="a fold has 0 of the 0"):
        ranked_by_fold([], PARAMS, seed=0)


def test_written_mosaics_name_their_folds(tmp_path):
    sheet = write_mosaics(tmp_path, SOURCES, tuple("abcdef"), replace(PARAMS, n_images=4), seed=1)
    rows = [line.split(",")[2:] for line in sheet.read_text().splitlines()]
    assert rows[0] == ["label", "case_id", "fold"]
    assert [row[0] + row[2] for row in rows[1:]] == ["00", "10", "01", "11"]


@pytest.mark.parametrize("values", [{"n_images": 1}, {"n_sources": 3}, {"patches_per_source": 5}, {"folds": 1}])
def test_impossible_mosaics_are_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        MosaicParams(**values)
