import numpy as np
import pytest
import torch

from pipeline.nuclei.network import nucleus_flows_on_device
from pipeline.nuclei.network.nucleus_flows import FLOW_FACTOR, flow_errors, flows_from_labels
from pipeline.nuclei.network.nucleus_flows_on_device import NucleusPixels, flow_errors_on_device
from pipeline.synthetic.painting.tissue import PaintedTissue


def errors(labels: np.ndarray, flows: np.ndarray, *, device: str = "cpu", asked: list[int] | None = None) -> np.ndarray:
    row, col = np.nonzero(labels)
    values = labels[row, col].astype(np.int64), row, col, np.ascontiguousarray(flows[:, row, col].T)
    which = np.zeros(int(labels.max()) + 1, bool)
    which[range(1, len(which)) if asked is None else asked] = True
    pixels = NucleusPixels(*(torch.from_numpy(each).to(device) for each in values))
    return flow_errors_on_device(pixels, torch.from_numpy(which).to(device)).cpu().numpy()


def noisy_flows(labels: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 2, (2, *labels.shape))
    return (FLOW_FACTOR * flows_from_labels(labels) + noise).astype(np.float32)


def test_the_errors_of_the_processor(tissue: PaintedTissue) -> None:
    flows = noisy_flows(tissue.labels)
    expected = flow_errors(tissue.labels, int(tissue.labels.max()), flows)
    assert expected.std() > 0.01
    assert errors(tissue.labels, flows) == pytest.approx([0, *expected], rel=1e-9)


def test_nuclei_of_one_pixel_of_two_rows_and_larger_than_every_square(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nucleus_flows_on_device, "SIDES_PX", (8, 24))
    labels = np.zeros((90, 60), np.int32)
    labels[2, 3], labels[5:7, 4:26], labels[10:-4, 8:12], labels[20:60, 30:50] = 1, 2, 3, 4
    flows = noisy_flows(labels)
    assert errors(labels, flows)[1:] == pytest.approx(flow_errors(labels, 4, flows), rel=1e-6)


def test_a_nucleus_in_pieces() -> None:
    labels = np.zeros((30, 30), np.int32)
    labels[4:10, 4:10] = labels[18:22, 20:26] = 1
    flows = noisy_flows(labels)
    assert errors(labels, flows)[1:] == pytest.approx(flow_errors(labels, 1, flows), rel=1e-9)


def test_only_those_that_are_asked_for(tissue: PaintedTissue) -> None:
    flows = noisy_flows(tissue.labels)
    everything = errors(tissue.labels, flows)
    some = errors(tissue.labels, flows, asked=[2, 7])
    assert some[[2, 7]].tolist() == everything[[2, 7]].tolist()
    assert np.count_nonzero(some) == 2
    assert not errors(tissue.labels, flows, asked=[]).any()


@pytest.mark.gpu
def test_the_errors_of_the_processor_on_a_card(tissue: PaintedTissue) -> None:
    flows = noisy_flows(tissue.labels)
    assert errors(tissue.labels, flows, device="cuda") == pytest.approx(errors(tissue.labels, flows), rel=1e-9)
