import numpy as np

from pipeline.artefacts.nuclei import PAPER_MEASURES
from pipeline.cellgraph.graphs.tiled_nuclei import raw_measures, tiled_nuclei
from pipeline.cellgraph.params import CellGraphParams

POWERS = {"area_um2": 2, "major_axis_um": 1, "minor_axis_um": 1, "perimeter_um": 1, "equivalent_diameter_um": 1}


def test_raw_measures_are_in_pixels_of_the_segmentation(nucleus_frame):
    frame = nucleus_frame([3])
    raw = raw_measures(frame, 0.5)
    assert raw.shape == (3, 12)
    for column, name in enumerate(PAPER_MEASURES):
        np.testing.assert_allclose(raw[:, column], frame[name] * 2.0 ** POWERS.get(name, 0))


def test_rows_of_the_table_stay_in_their_order_and_in_micrometres(nucleus_frame):
    frame = nucleus_frame([4, 3]).sort_values("tile_id")
    nuclei = tiled_nuclei(frame, np.array([0, 4, 7]), CellGraphParams(), 0.5)
    np.testing.assert_array_equal(nuclei.xy_um[:, 0], frame["x_um"])
    np.testing.assert_array_equal(nuclei.xy_um[:, 1], frame["y_um"])
    np.testing.assert_array_equal(nuclei.orientation_rad, frame["orientation_rad"])
    np.testing.assert_array_equal(nuclei.raw_measures, raw_measures(frame, 0.5))
    assert nuclei.node_offsets.tolist() == [0, 4, 7]


def test_an_axis_means_something_from_the_least_eccentricity_on(nucleus_frame):
    frame = nucleus_frame([3]).assign(eccentricity=[0.69, 0.7, 0.9], orientation_rad=[0.1, 0.2, np.nan])
    nuclei = tiled_nuclei(frame, np.array([0, 3]), CellGraphParams(min_eccentricity=0.7), 0.5)
    assert nuclei.axis_reliable.tolist() == [False, True, False]
