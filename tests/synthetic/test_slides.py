import filecmp
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import ConfigError, SlideError
from pipeline.slides.reader import open_slide
from pipeline.synthetic.painting.domains import TissueClass, draw_domains
from pipeline.synthetic.slides import SyntheticCohortParams, plan_slides, write_synthetic_cohort

SMALL = SyntheticCohortParams(n_slides=2, n_unlabelled=1, size_px=384, bad={"empty": 1, "truncated": 1})


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic_cohort(tmp_path_factory.mktemp("cohort"), SMALL, seed=0).parent


def test_sheet_and_truth(cohort: Path) -> None:
    sheet = pd.read_csv(cohort / "slides.csv", keep_default_na=False)
    truth = pd.read_csv(cohort / "truth" / "truth.csv", keep_default_na=False)
    assert list(sheet.columns) == ["slide_id", "path", "label", "case_id"]
    assert sheet["slide_id"].tolist() == ["s01", "s02", "empty01", "truncated01", "new01"]
    assert sheet["label"].iloc[-1] == ""
    assert truth["label"].iloc[-1] in ("aligned", "disordered")
    assert truth["fault"].tolist() == ["", "", "empty", "truncated", ""]
    assert all((cohort / path).is_file() for path in sheet["path"])


def test_slides_open_with_their_mpp_and_levels(cohort: Path) -> None:
    with open_slide(cohort / "slides/s01.tif", slide_id="s01") as slide:
        assert slide.vendor == "generic-tiff"
        assert slide.mpp == pytest.approx(0.5, rel=1e-6)
        assert len(slide.levels) == 3
    with pytest.raises(SlideError, match="slide t "):
        open_slide(cohort / "slides/truncated01.tif", slide_id="t")
    with open_slide(cohort / "slides/empty01.tif", slide_id="e") as slide:
        assert slide.thumbnail(8.0).min() > 225


def test_true_nuclei_lie_on_dark_pixels(cohort: Path) -> None:
    nuclei = pd.read_parquet(cohort / "truth" / "s01.nuclei.parquet")
    with open_slide(cohort / "slides/s01.tif", slide_id="s01") as slide:
        red = slide.read_box(0, 0, 384, 384, width_px=384, height_px=384)[..., 0].astype(float)
    at = (nuclei[["y_um", "x_um"]].to_numpy() / 0.5).astype(int).clip(0, 383)
    assert red[at[:, 0], at[:, 1]].mean() < red.mean() - 50


def test_same_seed_same_bytes(cohort: Path, tmp_path: Path) -> None:
    again = write_synthetic_cohort(tmp_path, SMALL, seed=0).parent
    names = [path.relative_to(cohort).as_posix() for path in cohort.rglob("*") if path.is_file()]
    _, different, missing = filecmp.cmpfiles(cohort, again, names, shallow=False)
    assert (different, missing) == ([], [])


def test_default_plan_is_balanced_and_two_patients_are_mixed() -> None:
    planned = pd.DataFrame(
        [(s.slide_id, s.tissue_class.name, s.case_id, s.labelled) for s in plan_slides(SyntheticCohortParams())],
        columns=["slide_id", "label", "case_id", "labelled"],
    )
    labelled = planned[planned["labelled"]]
    assert labelled["label"].value_counts().to_dict() == {"aligned": 8, "disordered": 8}
    assert (labelled.groupby("case_id").size() == 2).all()
    assert (labelled.groupby("case_id")["label"].nunique() == 2).sum() == 2
    assert planned["labelled"].tolist() == [True] * 16 + [False] * 2
    assert planned["slide_id"].is_unique
    assert not set(planned.loc[~planned["labelled"], "case_id"]) & set(labelled["case_id"])


def test_faults_do_not_change_the_sound_slides() -> None:
    sound = [s for s in plan_slides(SMALL) if s.fault is None]
    without = list(plan_slides(SyntheticCohortParams(n_slides=2, n_unlabelled=1, size_px=384)))
    assert sound == without


@pytest.mark.parametrize(("share", "agreement"), [(0.65, 0.95), (0.35, 0.0), (0.5, 1.0)])
def test_domains_have_their_share_and_agreement(share: float, agreement: float) -> None:
    domains = draw_domains(
        TissueClass("c", share, agreement), 60, 60, density_contrast=0.2, rng=np.random.default_rng(0)
    )
    first, second = (domains[domains["domain_col"] % 2 == side].reset_index(drop=True) for side in (0, 1))
    assert domains["ordered"].mean() == pytest.approx(share, abs=0.03)
    assert second["ordered"].mean() == pytest.approx(share, abs=0.04)
    assert (first["axis_rad"] == second["axis_rad"]).mean() == pytest.approx(agreement, abs=0.03)
    assert (first["density"] == second["density"]).all()
    assert (first["pair"] == second["pair"]).all()


def test_odd_number_of_columns_leaves_the_last_without_partner() -> None:
    domains = draw_domains(TissueClass("c", 0.5, 1.0), 2, 3, density_contrast=0.0, rng=np.random.default_rng(0))
    assert list(zip(domains["domain_row"], domains["domain_col"], strict=True)) == [
        (r, c) for r in (0, 1) for c in range(3)
    ]
    assert (domains["density"] == 1.0).all()
    assert sorted(domains["pair"].value_counts()) == [1, 1, 2, 2]


def test_faulty_params_name_key_and_value() -> None:
    with pytest.raises(ConfigError, match="size_px is 0"):
        SyntheticCohortParams(size_px=0)
    with pytest.raises(ConfigError, match="bad names melted; expected empty or truncated"):
        SyntheticCohortParams(bad={"melted": 1})
    with pytest.raises(ConfigError, match=r"class c: agreement is 1\.5"):
        TissueClass("c", 0.5, 1.5)
    with pytest.raises(ConfigError, match="at least one class"):
        SyntheticCohortParams(classes=())


@pytest.mark.slow
def test_classes_differ_in_orientation_and_in_nothing_else(tmp_path: Path) -> None:
    """Measured on the true nuclei: order and partners' correlation tell the class, density and size do not."""
    folder = write_synthetic_cohort(tmp_path, SyntheticCohortParams(), seed=0).parent
    truth = pd.read_csv(folder / "truth" / "truth.csv", keep_default_na=False)
    rows = []
    for slide_id, label in zip(truth["slide_id"], truth["label"], strict=True):
        nuclei = pd.read_parquet(folder / "truth" / f"{slide_id}.nuclei.parquet")
        axial = nuclei.assign(axial=np.exp(2j * nuclei["orientation_rad"]))
        order = axial.groupby(["domain_row", "domain_col"])["axial"].mean().abs()
        order = order.reset_index().pivot_table(index="domain_row", columns="domain_col", values="axial")
        partners = np.corrcoef(order.iloc[:, 0::2].to_numpy().ravel(), order.iloc[:, 1::2].to_numpy().ravel())[0, 1]
        rows.append((label, order.to_numpy().mean(), partners, len(nuclei), nuclei["major_um"].mean()))
    frame = pd.DataFrame(rows, columns=["label", "order", "partners", "count", "major_um"])
    aligned, disordered = frame[frame["label"] == "aligned"], frame[frame["label"] == "disordered"]
    assert aligned["order"].mean() > disordered["order"].mean() + 0.1
    assert aligned["partners"].mean() > 0.7
    assert abs(disordered["partners"].mean()) < 0.25
    assert aligned["count"].mean() == pytest.approx(disordered["count"].mean(), rel=0.05)
    assert aligned["major_um"].mean() == pytest.approx(disordered["major_um"].mean(), rel=0.01)
