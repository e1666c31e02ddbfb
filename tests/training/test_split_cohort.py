import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from pipeline.artefacts.features import read_features, write_features
from pipeline.artefacts.json_files import read_json
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import read_excluded, read_splits
from pipeline.errors import ArtefactError, CohortError
from pipeline.training.params import SplitParams
from pipeline.training.split_cohort import SplitJob, read_cache, split_cohort


@pytest.fixture
def split(tmp_path):
    def run(rows, features, seeds=(0,), **changes):
        split_cohort(rows, features, tmp_path, SplitJob(SplitParams(**{"folds": 3, **changes}), seeds, source="src"))
        return read_splits(tmp_path / "splits.csv"), read_excluded(tmp_path / "excluded.csv")

    return run


@pytest.fixture
def emptied(stored, tmp_path):
    """Write the cache of a slide without its patches, and give its path."""

    def write(slide_id):
        store = read_features(stored[1][slide_id])
        none = {"features": store.features[:0], "coords": store.coords[:0], "tile_id": store.tile_id[:0]}
        path = tmp_path / "empty" / f"{slide_id}.zarr"
        write_features(path, replace(store, **none, reason="no tissue found"))
        return path

    return write


@pytest.fixture
def with_empty(stored, emptied):
    """The stored cohort, its first slide without a patch."""
    rows, features = stored
    return rows, {**features, rows[0].slide_id: emptied(rows[0].slide_id)}


def test_every_slide_is_tested_once_a_seed_and_no_patient_has_two_roles(split, stored):
    splits, excluded = split(*stored, seeds=(0, 1))
    assert len(splits) == 36 * 3 * 2
    assert excluded.empty
    tested = splits[splits["role"] == "test"].groupby("seed")["slide_id"]
    assert (tested.nunique() == 36).all()
    assert (tested.count() == 36).all()
    assert not splits[splits["seed"] == 0]["role"].equals(splits[splits["seed"] == 1]["role"])


def test_the_sheets_folds_are_kept_and_only_roles_are_drawn(split, stored):
    rows, features = stored
    rows = [replace(row, fold=1 + (int(row.slide_id[-5:]) // 2) % 3) for row in rows]
    splits, _ = split(rows, features, seeds=(0, 1), folds=9)
    test = splits[splits["role"] == "test"]
    expected = {row.slide_id: row.fold for row in rows}
    assert all(expected[row.slide_id] == row.fold for row in test.itertuples())
    assert set(splits["fold"]) == {1, 2, 3}


def test_slides_without_label_are_no_part_and_empty_ones_are_listed(split, with_empty):
    rows, features = with_empty
    splits, excluded = split([*rows, SlideRow(slide_id="unlabelled")], features)
    assert excluded.to_dict("records") == [
        {"slide_id": rows[0].slide_id, "case_id": rows[0].case_id, "label": "0", "reason": "no tissue found"}
    ]
    assert splits["slide_id"].nunique() == 35


def test_the_provenance_changes_with_a_cache(split, stored, with_empty, tmp_path):
    split(*stored)
    before = read_json(tmp_path / "provenance.json", "provenance")
    split(*with_empty)
    after = read_json(tmp_path / "provenance.json", "provenance")
    name = f"features/{stored[0][0].slide_id}"
    assert {k for k, v in before["upstream"].items() if after["upstream"][k] != v} == {name}
    assert before["params"]["splits"]["folds"] == 3


def test_the_same_input_gives_the_same_bytes(split, stored, tmp_path):
    split(*stored)
    first = (tmp_path / "splits.csv").read_bytes(), (tmp_path / "provenance.json").read_bytes()
    split(*stored)
    assert first == ((tmp_path / "splits.csv").read_bytes(), (tmp_path / "provenance.json").read_bytes())


def test_a_cohort_that_cannot_be_split_says_why(split, stored):
    rows, features = stored
    with pytest.raises(CohortError, match="at least two classes, there is '1' of 18 patients"):
        split([row for row in rows if row.label == "1"], features)
    few = [row for row in rows if row.label == "1"] + [row for row in rows if row.label == "0"][:2]
    with pytest.raises(CohortError, match="class '0' has 2"):
        split(few, features)
    one_sided = [replace(row, fold=int(row.label)) for row in rows]
    with pytest.raises(CohortError, match="outside fold 0 class '0' has 0 of its 18 patients"):
        split(one_sided, features)


def test_a_missing_cache_names_its_slide(split, stored, tmp_path):
    with pytest.raises(ArtefactError, match=stored[0][0].slide_id):
        split(stored[0], tmp_path)


def test_folder_and_mapping_are_the_same(split, stored):
    rows, features = stored
    by_map, _ = split(rows, features)
    by_folder, _ = split(rows, next(iter(features.values())).parent)
    assert by_map.equals(by_folder)
    assert np.isin(by_map["role"], ["train", "structure", "select", "test"]).all()


def test_a_fold_of_the_sheet_may_lose_all_its_slides(split, stored, emptied):
    """Fold 9 has one patient, without a patch: it stays in the table, with roles and nothing to test."""
    rows, features = stored
    first = rows[0].slide_id
    rows = [replace(row, fold=1 + i % 3 if i else 9) for i, row in enumerate(rows)]
    splits, excluded = split(rows, {**features, first: emptied(first)})
    assert excluded["slide_id"].tolist() == [first]
    assert set(splits["fold"]) == {1, 2, 3, 9}
    assert splits.loc[splits["fold"] == 9, "slide_id"].tolist() == [row.slide_id for row in rows[1:]]
    assert "test" not in set(splits.loc[splits["fold"] == 9, "role"])
    assert sorted(splits.loc[splits["role"] == "test", "fold"].unique()) == [1, 2, 3]


def test_imported_files_may_be_empty_too(tmp_path):
    for name, n in (("full", 2), ("bare", 0)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["features"], file["coords"] = np.ones((n, 3), np.float32), np.arange(2 * n).reshape(n, 2)
    assert read_cache(tmp_path / "full.h5", "full").empty_reason is None
    assert read_cache(tmp_path / "bare.h5", "bare").empty_reason == "the imported file holds no tile"


def test_what_the_sheet_shows_is_refused_before_a_cache_is_read(split, stored):
    with pytest.raises(CohortError, match="19 folds need 19 patients"):
        split(stored[0], {}, folds=19)


@pytest.fixture
def mixed(stored, tmp_path):
    """The stored cohort with one cache of other tiles."""
    slide_id, path = next(iter(stored[1].items()))
    write_features(tmp_path / f"{slide_id}.zarr", replace(read_features(path), tile_px=56))
    return stored[0], {**stored[1], slide_id: tmp_path / f"{slide_id}.zarr"}


def test_slides_made_differently_are_refused_before_any_training(split, mixed):
    with pytest.raises(CohortError, match=r"1 of 36[\s\S]*slide planted_00000: tile_width_um is 28, not 128"):
        split(*mixed)


def test_they_are_split_where_that_is_allowed_and_the_provenance_says_so(mixed, tmp_path):
    split_cohort(*mixed, tmp_path, SplitJob(SplitParams(folds=3), (0,), "src", on_mismatch="warn"))
    told = read_json(tmp_path / "provenance.json", "a provenance")["mismatches"]
    assert told == ["slide planted_00000: tile_width_um is 28, not 128"]


def test_features_of_another_slide_are_refused(split, stored):
    (first, path), (second, other) = list(stored[1].items())[:2]
    shutil.copytree(other, path.parent.parent / "swapped" / f"{first}.zarr")
    with pytest.raises(ArtefactError, match=rf"expected features of slide {first}, found those of .{second}."):
        split(stored[0], {**stored[1], first: path.parent.parent / "swapped" / f"{first}.zarr"})


def test_every_damaged_cache_is_told_at_once(split, stored, tmp_path):
    folder = tmp_path / "caches"
    shutil.copytree(next(iter(stored[1].values())).parent, folder)
    first, second, *_ = sorted(folder.iterdir())
    shutil.rmtree(first / "features/c")
    shutil.rmtree(second / "coords")
    with pytest.raises(ArtefactError) as caught:
        split(stored[0], folder)
    told = str(caught.value).splitlines()
    assert told[0].startswith("2 of ")
    assert f"{first}: array 'features' is damaged" in told[1]
    assert f"{second}: array 'coords' is missing" in told[2]
