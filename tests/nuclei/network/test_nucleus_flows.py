import numpy as np
import pytest

from pipeline.nuclei.network.nucleus_flows import FLOW_FACTOR, flow_errors, flows_from_labels
from pipeline.synthetic.painting.tissue import PaintedTissue


def test_flows_of_three_pixels_in_a_row() -> None:
    """The middle pixel is the source: its neighbours point at it; it points nowhere, by symmetry."""
    labels = np.zeros((5, 7), np.int32)
    labels[2, 2:5] = 1
    flows = flows_from_labels(labels)
    assert flows[1, 2].tolist() == [0, 0, 1, 0, -1, 0, 0]
    assert not flows[0].any()


def test_label_numbers_may_have_gaps() -> None:
    labels = two_squares()
    assert np.array_equal(flows_from_labels(labels * 1000), flows_from_labels(labels))


def two_squares() -> np.ndarray:
    labels = np.zeros((8, 16), np.int32)
    labels[1:6, 1:6], labels[1:6, 9:14] = 1, 2
    return labels


def test_flows_are_unit_vectors_that_point_inwards(tissue: PaintedTissue) -> None:
    flows = flows_from_labels(tissue.labels)
    inside = tissue.labels > 0
    length = np.linalg.norm(flows, axis=0)
    assert not length[~inside].any()
    assert (np.isclose(length, 1, atol=1e-5) | (length < 1e-5))[inside].all()
    rows, cols = np.indices(inside.shape)
    for label in np.unique(tissue.labels)[1:]:
        mine = tissue.labels == label
        towards = np.stack([rows[mine].mean() - rows[mine], cols[mine].mean() - cols[mine]])
        assert (towards * flows[:, mine]).sum(axis=0).mean() > 0


def test_rows_are_rows_and_columns_are_columns() -> None:
    """A wide bar: at its left end the flow points right, at its top edge down."""
    labels = np.zeros((9, 21), np.int32)
    labels[2:7, 1:20] = 1
    flows = flows_from_labels(labels)
    assert flows[1, 4, 1] > 0.99
    assert flows[1, 4, 19] < -0.99
    assert flows[0, 2, 10] > 0.99
    assert flows[0, 6, 10] < -0.99


def test_a_nucleus_stays_out_of_its_neighbour_s_flows() -> None:
    labels = np.zeros((7, 12), np.int32)
    labels[1:6, 1:6] = 1
    alone = flows_from_labels(labels)
    labels[1:6, 6:11] = 2
    assert np.array_equal(flows_from_labels(labels)[:, :, :6], alone[:, :, :6])


def test_errors_by_hand() -> None:
    """Nothing against unit flows is 1; the opposite is 4, each but for the middle pixel of 25, whose flow is 0."""
    labels = two_squares()
    flows = FLOW_FACTOR * flows_from_labels(labels)
    assert flow_errors(labels, 2, flows) == pytest.approx([0, 0], abs=1e-6)
    flows[:, labels == 1] = 0
    flows[:, labels == 2] *= -1
    assert flow_errors(labels, 2, flows) == pytest.approx([24 / 25, 4 * 24 / 25], abs=1e-5)


def discs() -> np.ndarray:
    """Three discs of 16 px across, two of them touching."""
    rows, cols = np.mgrid[:64, :80]
    labels = np.zeros((64, 80), np.int32)
    for label, (row, col) in enumerate([(20, 20), (20, 36), (45, 60)], start=1):
        labels[(rows - row) ** 2 + (cols - col) ** 2 < 64] = label
    return labels


def test_flows_are_unit_vectors_to_the_middle() -> None:
    labels = discs()
    flows = flows_from_labels(labels)
    inside = labels > 0
    lengths = np.linalg.norm(flows, axis=0)
    for middle in ((20, 20), (20, 36), (45, 60)):
        assert lengths[middle] == pytest.approx(0, abs=1e-3) or lengths[middle] == pytest.approx(1, abs=1e-3)
        lengths[middle] = 1  # by symmetry the middle flows nowhere, but for rounding
    assert lengths[inside] == pytest.approx(1, abs=1e-3)
    assert not flows[:, ~inside].any()
    assert flows[0, 14, 20] > 0.9  # above the middle: down
    assert flows[1, 20, 14] > 0.9  # left of it: right


def test_flows_of_nothing() -> None:
    assert not flows_from_labels(np.zeros((8, 8), np.int32)).any()
