from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.artefacts.sheet import SlideRow
from pipeline.cellgraph.features.cell_orientation_entropy import CORE_FEATURE_NAMES
from pipeline.cellgraph.features.orientation_features import ORIENTATION_FEATURE_NAMES
from pipeline.cellgraph.features.spatial_features import SPATIAL_FEATURE_NAMES
from pipeline.report.contents.cohort_outcome import SlideSummary
from pipeline.report.contents.feature_separation import extreme_patches, feature_separation, is_orientation

NAMES = ("of_class", "of_patient", "noise")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[SlideSummary], dict[str, Path]]:
    """Two classes of five patients with two images each; one feature goes with the class, one with the patient."""
    folder = tmp_path_factory.mktemp("features")
    rng = np.random.default_rng(0)
    slides, files = [], {}
    for number in range(20):
        patient = number // 2
        means = np.array([6.0 * (patient % 2), 5.0 * ((patient * 7) % 10), 0.0])
        slide_id = f"s{number:02d}"
        row = SlideRow(slide_id, None, None, "ab"[patient % 2], f"p{patient}", True, None)
        slides.append(SlideSummary(row, "in the folds"))
        files[slide_id] = folder / f"{slide_id}.zarr"
        values = (means + rng.normal(size=(6, 3))).astype(np.float32)
        values[0, 2] = np.nan
        write(files[slide_id], slide_id, values)
    return slides, files


def write(path: Path, slide_id: str, values: np.ndarray, names: tuple[str, ...] = NAMES) -> None:
    places = np.zeros((len(values), 2), int)
    store = FeatureStore(slide_id, values, names, places, np.arange(len(values)), valid=~np.isnan(values))
    write_features(path, store)


def test_effects_of_class_and_of_patients_within_it(cohort: tuple[list[SlideSummary], dict[str, Path]]) -> None:
    found = feature_separation(*cohort)
    assert found is not None
    assert (found.n_images, found.n_patients, found.has_patients) == (20, 10, True)
    table = found.table.set_index("feature")
    assert table.index[0] == "of_class"
    assert table.loc["of_class", "class_omega"] > 0.9
    assert table.loc["of_class", "patient_omega"] < 0.1
    assert table.loc["of_patient", "patient_omega"] > 0.8
    assert table.loc["of_class", "mean_b"] - table.loc["of_class", "mean_a"] == pytest.approx(6, abs=0.5)
    assert not found.patients_outweigh(1)
    assert replace(found, table=found.table[found.table["feature"] == "of_patient"]).patients_outweigh()


def test_one_image_a_patient_tells_nothing_of_patients(cohort: tuple[list[SlideSummary], dict[str, Path]]) -> None:
    slides, files = cohort
    alone = [replace(one, row=replace(one.row, case_id=one.row.slide_id)) for one in slides]
    found = feature_separation(alone, files)
    assert found is not None
    assert not found.has_patients
    assert not found.patients_outweigh()


def test_slides_without_common_features_are_not_compared(
    cohort: tuple[list[SlideSummary], dict[str, Path]], tmp_path: Path
) -> None:
    slides, files = cohort
    write(tmp_path / "s00.zarr", "s00", np.ones((2, 1), np.float32), ("other",))
    assert feature_separation(slides, {**files, "s00": tmp_path / "s00.zarr"}) is None
    assert feature_separation(slides, {}) is None
    assert feature_separation(slides, dict.fromkeys(files, tmp_path / "of_others.h5")) is None
    assert feature_separation([one for one in slides if one.row.label == "a"], files) is None


def test_examples_are_of_different_slides_and_pass_over_the_utmost(tmp_path: Path) -> None:
    row = SlideRow("s", None, None, "a", "p", True, None)
    slides = [SlideSummary(replace(row, slide_id=name), "in the folds") for name in ("s", "t", "u")]
    files = {one.row.slide_id: tmp_path / f"{one.row.slide_id}.zarr" for one in slides}
    ramp = np.arange(101, dtype=np.float32)[:, None]
    for place, name in enumerate(files):
        write(files[name], name, ramp + 10 * place, ("x",))
    low, high = extreme_patches("x", slides, files, 2)
    assert low == [("s", 2), ("t", 2)]
    assert high == [("u", 98), ("t", 98)]
    assert extreme_patches("unknown", slides, files, 2) == ([], [])


def test_features_of_orientation_are_known_by_their_names() -> None:
    assert all(map(is_orientation, (*ORIENTATION_FEATURE_NAMES, *CORE_FEATURE_NAMES)))
    assert not any(map(is_orientation, (*SPATIAL_FEATURE_NAMES, "nucleus_major_axis_um_sd")))
