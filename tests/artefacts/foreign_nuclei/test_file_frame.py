import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.foreign_nuclei.file_frame import file_frame
from pipeline.artefacts.foreign_nuclei.found_nuclei import FoundNuclei
from pipeline.errors import ImportedFileError

HEADER = {"slide_mpp": 0.25, "bounds_l0": [1000, 400, 8000, 8000]}
POINT = np.array([[8.0, 4.0]])


def placed(unit, origin, magnification=None, **header):
    found = FoundNuclei("x", pd.DataFrame(), np.empty(0, object), unit, origin, magnification)
    return file_frame(found, HEADER | header, "n.json").um_from_file(POINT)[0].tolist()


def test_pixels_and_micrometres_from_either_corner():
    assert placed("px", "level 0") == [2, 1]
    assert placed("um", "level 0") == [8, 4]
    assert placed("px", "scanned part") == [252, 101]
    assert placed("um", "level 0", without_slide=True) == [258, 104]


@pytest.mark.parametrize(
    ("slide_mpp", "magnification", "l0_per_px"), [(0.2528, 40, 1), (0.23, 20, 2), (0.5, 40, 0.5), (0.46, 20, 1)]
)
def test_a_magnification_is_a_power_of_two_of_the_slides_pixels(slide_mpp, magnification, l0_per_px):
    assert placed("px", "level 0", magnification, slide_mpp=slide_mpp)[0] == pytest.approx(8 * slide_mpp * l0_per_px)


def test_a_magnification_that_fits_no_power_of_two_is_refused():
    with pytest.raises(ImportedFileError, match=r"n\.json: nuclei were found at magnification 40"):
        placed("px", "level 0", 40, slide_mpp=0.36)
