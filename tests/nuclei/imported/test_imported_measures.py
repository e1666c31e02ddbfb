import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.artefacts.foreign_nuclei.found_nuclei import MEASURES
from pipeline.errors import ImportedFileError
from pipeline.nuclei.imported.imported_measures import imported_measures

NONE = np.array([None], dtype=object)
BOX = np.array([shapely.box(0, 0, 2, 4)], dtype=object)


def measured(outlines=NONE, **given):
    return imported_measures(pd.DataFrame({"x": [0.0], **given}, index=[7]), outlines, "n.csv").iloc[0]


def test_what_nobody_tells_is_nan_and_never_zero():
    assert measured().isna().all()
    assert tuple(measured().index) == MEASURES
    assert measured(BOX)[["mean_grey", "glcm_contrast", "mean_haematoxylin"]].isna().all()


def test_the_files_own_measure_beats_the_outline_which_beats_anothers_name():
    assert measured(BOX)["area_um2"] == 8
    assert measured(BOX, area_um2=[9.0])["area_um2"] == 9
    assert measured(BOX, **{"~area_um2": [7.0]})["area_um2"] == 8
    assert measured(**{"~area_um2": [7.0]})["area_um2"] == 7
    assert measured(BOX, area_um2=[np.nan])["area_um2"] == 8


def test_an_axis_just_below_zero_is_zero_and_not_pi():
    assert measured(orientation_rad=[-1e-20])["orientation_rad"] == 0
    assert measured(orientation_rad=[-np.pi / 4])["orientation_rad"] == pytest.approx(3 * np.pi / 4)


def test_measures_imply_others():
    found = measured(major_axis_um=[10.0], minor_axis_um=[6.0], orientation_rad=[-0.5], area_um2=[np.pi])
    assert found["eccentricity"] == pytest.approx(0.8)
    assert found["orientation_reliability"] == pytest.approx(64 / 136)
    assert found["orientation_rad"] == pytest.approx(np.pi - 0.5)
    assert found["equivalent_diameter_um"] == pytest.approx(2)
    assert measured(orientation_reliability=[64 / 136])["eccentricity"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("name", "value"), [("area_um2", -1.0), ("eccentricity", 1.5), ("~solidity", 90.0), ("perimeter_um", np.inf)]
)
def test_a_measure_that_cannot_be_one_is_named(name, value):
    with pytest.raises(ImportedFileError, match=rf"n\.csv: {name.lstrip('~')}: expected numbers"):
        measured(**{name: [value]})
