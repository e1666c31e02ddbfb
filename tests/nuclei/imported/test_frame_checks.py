import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.foreign_nuclei.found_nuclei import FoundNuclei
from pipeline.artefacts.tables import HeadedTable
from pipeline.errors import ImportedFileError
from pipeline.nuclei.imported.frame_checks import PlacedNuclei, check_frame, check_sizes

MPP, SIDE_PX, TILE_PX = 0.25, 4000, 400


def tiles(tissue, bounds=(0, 0, SIDE_PX, SIDE_PX)):
    """A slide of 1 mm of ten by ten tiles, with tissue where ``tissue(row, col)`` says."""
    row, col = (axis.ravel() for axis in np.indices((10, 10)))
    has_tissue = np.array([tissue(*place) for place in zip(row, col, strict=True)])
    frame = pd.DataFrame({"x_l0": col * TILE_PX, "y_l0": row * TILE_PX, "width_l0": float(TILE_PX)})
    frame["kept"], frame["tissue_fraction"] = has_tissue, has_tissue * 1.0
    header = {"slide_id": "s", "slide_mpp": MPP, "width_l0": SIDE_PX, "height_l0": SIDE_PX, "bounds_l0": bounds}
    return HeadedTable(frame, header)


def nuclei(xy_um, unit="um", kind="table", diameter_um=np.nan, origin="level 0"):
    found = FoundNuclei(kind, pd.DataFrame(), np.empty(0, object), unit, origin)
    return PlacedNuclei(found, "n.csv", xy_um, np.full(len(xy_um), diameter_um))


def spread(x0, x1, y0, y1, n=2000):
    return np.random.default_rng(0).uniform([x0, y0], [x1, y1], (n, 2))


EVERYWHERE = spread(0, 1000, 0, 1000)
ALL = tiles(lambda row, col: True)
RIGHT = tiles(lambda row, col: col >= 6)


def test_nuclei_on_tissue_raise_no_question():
    assert check_frame(nuclei(EVERYWHERE), ALL).all()
    assert check_frame(nuclei(spread(600, 1000, 0, 1000), "px"), RIGHT).all()
    assert check_sizes(nuclei(EVERYWHERE, diameter_um=8.0)) == ()


def test_a_few_outside_are_told_apart_and_many_are_refused():
    few = np.vstack([EVERYWHERE, [[1001.0, 5.0]]])
    assert check_frame(nuclei(few), ALL).sum() == len(EVERYWHERE)
    with pytest.raises(ImportedFileError, match=r"n\.csv: \d+ of 2000 nuclei lie outside slide s, which is 1000 x"):
        check_frame(nuclei(EVERYWHERE + np.array([500, 0])), ALL)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (nuclei(EVERYWHERE / MPP), "Taken as pixels of level 0 .* x_px and y_px"),
        (nuclei(spread(600, 1000, 0, 1000) * MPP, "px"), "only 0% .* Taken as micrometres .* x_um and y_um"),
        (nuclei(EVERYWHERE * MPP, "px"), "in a corner of slide s, and taken as micrometres they would fill it"),
        (nuclei(EVERYWHERE * MPP, "px", diameter_um=2.0), "0?2 um wide, and taken as micrometres 8 um"),
        (nuclei(spread(600, 1000, 0, 500)[:, ::-1]), "With x and y exchanged"),
    ],
)
def test_another_unit_or_order_is_named(given, message):
    table = RIGHT if "only 0%" in message or "exchanged" in message else ALL
    with pytest.raises(ImportedFileError, match=message):
        check_frame(given, table)


def test_another_corner_is_named():
    table = tiles(lambda row, col: col >= 6, bounds=(2400, 0, 1600, 4000))
    with pytest.raises(ImportedFileError, match="Counted from the corner of the scanned part"):
        check_frame(nuclei(spread(0, 400, 0, 1000), "px", "HoVer-Net JSON"), table)
    # As QuPath writes them they fit.
    assert check_frame(nuclei(spread(600, 1000, 0, 1000), "px", "GeoJSON", origin="scanned part"), table).all()


def test_nuclei_beside_tissue_are_accepted_where_no_other_reading_fits():
    assert check_frame(nuclei(spread(0, 500, 0, 1000)), RIGHT).all()
    assert check_frame(nuclei(spread(0, 250, 0, 250), "px", "GeoJSON"), ALL).all()


def test_sizes_that_nuclei_do_not_have_are_cautions_or_refused():
    (caution,) = check_sizes(nuclei(EVERYWHERE, diameter_um=60.0))
    assert "the median nucleus is 60 um wide" in caution
    (caution,) = check_sizes(nuclei(np.vstack([EVERYWHERE, EVERYWHERE[:3]])))
    assert caution == "3 nuclei lie at exactly the place of another"
    with pytest.raises(ImportedFileError, match="in millimetres"):
        check_sizes(nuclei(EVERYWHERE / 1000))
    assert check_sizes(nuclei(EVERYWHERE[:1])) == ()
