import numpy as np
import pytest
import shapely
from skimage.measure import regionprops_table

from pipeline.artefacts.nuclei import PAPER_MEASURES
from pipeline.nuclei.learning.restaining import rgb_from_hed
from pipeline.nuclei.measures.nucleus_morphology import measure_nuclei
from pipeline.synthetic.painting.tissue import PaintedTissue


def ellipse(angle_rad: float, *, major: float = 40, minor: float = 14, size: int = 64) -> np.ndarray:
    """Ellipse whose major axis lies at ``angle_rad`` from +x towards +y, y down; full axes in pixels."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    along = x * np.cos(angle_rad) + y * np.sin(angle_rad)
    across = -x * np.sin(angle_rad) + y * np.cos(angle_rad)
    return ((2 * along / major) ** 2 + (2 * across / minor) ** 2 <= 1).astype(np.int32)


def grey_of(labels: np.ndarray) -> np.ndarray:
    return np.full((*labels.shape, 3), 100, np.uint8)


@pytest.mark.parametrize("degrees", [0, 20, 45, 90, 135, 170])
def test_orientation_runs_from_x_towards_y_down(degrees: float) -> None:
    labels = ellipse(np.deg2rad(degrees))
    found = measure_nuclei(labels, grey_of(labels), 0.5).loc[0]
    difference = (found["orientation_rad"] - np.deg2rad(degrees) + np.pi / 2) % np.pi - np.pi / 2
    assert difference == pytest.approx(0, abs=0.02)
    assert 0 <= found["orientation_rad"] < np.pi


def test_diagonal_counted_by_eye() -> None:
    """Pixels going right and down: 45 degrees, since y points down."""
    labels = np.eye(5, dtype=np.int32)
    assert measure_nuclei(labels, grey_of(labels), 1.0)["orientation_rad"][0] == pytest.approx(np.pi / 4)


def test_ellipse_axes_in_micrometres() -> None:
    labels = ellipse(0.3)
    found = measure_nuclei(labels, grey_of(labels), 0.25).loc[0]
    assert found["major_axis_um"] == pytest.approx(10, rel=0.02)
    assert found["minor_axis_um"] == pytest.approx(3.5, rel=0.03)
    assert found["area_um2"] == pytest.approx(np.pi / 4 * 10 * 3.5, rel=0.02)
    assert found["eccentricity"] == pytest.approx(np.sqrt(1 - (14 / 40) ** 2), abs=0.01)
    assert found["solidity"] > 0.97


def test_rectangle_by_hand() -> None:
    """2 rows by 3 columns from (row 1, col 2) at 2 um/px; variance of 0, 1, 2 is 2/3, of 0, 1 is 1/4."""
    labels = np.zeros((5, 7), np.int32)
    labels[1:3, 2:5] = 1
    found = measure_nuclei(labels, grey_of(labels), 2.0).loc[0]
    assert (found["x_um"], found["y_um"]) == (7.0, 4.0)
    assert found["area_um2"] == 24
    assert found["major_axis_um"] == pytest.approx(2 * 4 * np.sqrt(2 / 3))
    assert found["minor_axis_um"] == pytest.approx(2 * 4 * 0.5)
    assert found["mean_grey"] == 100
    assert found["solidity"] == 1
    assert found["contour_um"].equals(shapely.box(4, 2, 10, 6))


def test_agrees_with_scikit_image(tissue: PaintedTissue) -> None:
    kept, labels = np.unique(tissue.labels, return_inverse=True)
    labels = labels.reshape(tissue.labels.shape).astype(np.int32)
    found = measure_nuclei(labels, tissue.rgb, 0.5)
    names = ("area", "centroid", "axis_major_length", "axis_minor_length", "perimeter", "eccentricity", "orientation")
    expected = regionprops_table(labels, properties=(*names, "equivalent_diameter_area"))
    assert len(found) == len(kept) - 1 > 50
    for column, name, factor in (
        ("area_um2", "area", 0.25),
        ("major_axis_um", "axis_major_length", 0.5),
        ("minor_axis_um", "axis_minor_length", 0.5),
        ("perimeter_um", "perimeter", 0.5),
        ("eccentricity", "eccentricity", 1),
        ("equivalent_diameter_um", "equivalent_diameter_area", 0.5),
    ):
        assert found[column].to_numpy() == pytest.approx(expected[name] * factor, abs=1e-9), column
    assert found["x_um"].to_numpy() == pytest.approx((expected["centroid-1"] + 0.5) * 0.5)
    # scikit-image measures from the row axis, anticlockwise on the screen.
    turned = np.pi / 2 - expected["orientation"]
    elongated = expected["eccentricity"] > 0.3
    assert np.cos(2 * (found["orientation_rad"] - turned))[elongated].to_numpy() == pytest.approx(1)


def test_halving_the_mpp_quarters_areas(tissue: PaintedTissue) -> None:
    labels = (tissue.labels == tissue.labels.max()).astype(np.int32)
    coarse, fine = (measure_nuclei(labels, tissue.rgb, mpp).loc[0] for mpp in (0.5, 0.25))
    assert fine["area_um2"] == coarse["area_um2"] / 4
    assert fine["perimeter_um"] == pytest.approx(coarse["perimeter_um"] / 2)
    assert fine["orientation_rad"] == coarse["orientation_rad"]


def test_one_pixel_is_finite_and_round() -> None:
    labels = np.zeros((3, 3), np.int32)
    labels[1, 1] = 1
    found = measure_nuclei(labels, grey_of(labels), 1.0)
    numbers = found.drop(columns="contour_um").to_numpy(float)
    assert np.isfinite(numbers).all()
    assert set(PAPER_MEASURES) < set(found)
    assert (found["orientation_reliability"][0], found["convexity"][0]) == (0, 1)
    assert found["eccentricity"][0] == 0


def test_nucleus_up_to_the_border_has_its_perimeter() -> None:
    labels = np.ones((4, 4), np.int32)
    assert measure_nuclei(labels, grey_of(labels), 1.0)["perimeter_um"][0] == pytest.approx(12)


def test_no_nucleus() -> None:
    labels = np.zeros((8, 8), np.int32)
    assert len(measure_nuclei(labels, grey_of(labels), 1.0)) == 0


@pytest.mark.parametrize(
    ("shape", "reliability"), [((4, 4), 0), ((1, 5), 1), ((2, 3), (2 / 3 - 1 / 4) / (2 / 3 + 1 / 4))]
)
def test_reliability_of_the_axis(shape: tuple[int, int], reliability: float) -> None:
    """Variances of 0, 1, 2 and of 0, 1 are 2/3 and 1/4."""
    labels = np.zeros((8, 8), np.int32)
    labels[1 : 1 + shape[0], 1 : 1 + shape[1]] = 1
    found = measure_nuclei(labels, grey_of(labels), 1.0)
    assert found["orientation_reliability"][0] == pytest.approx(reliability)


def test_convex_nuclei_and_a_hollow_one() -> None:
    labels = ellipse(0.4)
    hollow = labels.copy()
    hollow[20:32, 30:34] = 0
    round_one, bitten = (measure_nuclei(one, grey_of(one), 1.0).loc[0] for one in (labels, hollow))
    # The staircase of pixels is longer than the ellipse it stands for.
    assert bitten["convexity"] < 0.9 < round_one["convexity"] <= 1


def test_haematoxylin_by_hand() -> None:
    """Two pixels of haematoxylin 0.2 and 0.8 beside one of another nucleus."""
    labels = np.array([[1, 1, 2]], np.int32)
    stain = np.array([[[0.2, 0, 0], [0.8, 0, 0], [0.5, 0, 0]]], np.float32)
    found = measure_nuclei(labels, rgb_from_hed(stain), 1.0)
    assert found["mean_haematoxylin"].to_numpy() == pytest.approx([0.5, 0.5], abs=0.01)
    assert found["sd_haematoxylin"].to_numpy() == pytest.approx([0.3, 0.0], abs=0.01)
