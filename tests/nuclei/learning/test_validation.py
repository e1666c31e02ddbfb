import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from pipeline.nuclei.labels.whole_nuclei import whole_nuclei
from pipeline.nuclei.learning import validation
from pipeline.nuclei.learning.augmentation import OutlinedImage, rescaled
from pipeline.nuclei.learning.cellpose_cpnet import load_network
from pipeline.nuclei.learning.detection_scores import match_nuclei
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.learning.validation import trained_weights, validate
from pipeline.nuclei.network.inference_engine import CpnetSegmenter
from pipeline.nuclei.network.weights import Weights
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain.stain_channels import StainScale
from pipeline.synthetic.painting.tissue import PaintedTissue

CPU = torch.device("cpu")
PARAMS = NucleiTrainingParams(diameter_px=7.5)
STAIN = StainScale(0.1, 0.9)


class DarkSpots:
    """Stands for a network: every connected dark spot is a nucleus."""

    def __init__(self, *_: Any) -> None:
        self.seen: list[tuple[np.ndarray, float, StainScale]] = []

    def network_mpp(self) -> float:
        return 0.4

    def segment(self, rgbs: list[np.ndarray], mpp: float, stain: StainScale) -> list[np.ndarray]:
        self.seen += [(rgb, mpp, stain) for rgb in rgbs]
        return [ndimage.label(rgb[..., 0] < 128)[0].astype(np.int32) for rgb in rgbs]


@pytest.fixture
def spots(monkeypatch: pytest.MonkeyPatch) -> DarkSpots:
    segmenter = DarkSpots()
    monkeypatch.setattr(validation, "_segmenter", lambda *arguments: segmenter)
    return segmenter


def picture(truth: list[tuple[int, int]], dark: list[tuple[int, int]], side: int = 6) -> OutlinedImage:
    """Squares from these corners on, outlined or dark."""
    labels, rgb = np.zeros((30, 40), np.int32), np.full((30, 40, 3), 255, np.uint8)
    for number, (row, col) in enumerate(truth, start=1):
        labels[row : row + side, col : col + side] = number
    for row, col in dark:
        rgb[row : row + side, col : col + side] = 50
    return OutlinedImage(rgb, labels, STAIN)


def test_precision_by_hand(spots: DarkSpots) -> None:
    """One nucleus is detected, one missed and one invented in the first image; the second is perfect: 2 of 4."""
    first = picture([(2, 2), (2, 20)], [(2, 2), (20, 30)])
    second = picture([(10, 10)], [(10, 10)])
    poor = picture([(2, 2)], [])
    scores = validate(None, {"real": [first, second], "synthetic": [poor], "collages": []}, PARAMS, CPU)
    assert scores == {"real": 0.5, "synthetic": 0.0, "average_precision": 0.25}


def test_overlap_of_half_is_detected_and_less_is_not(spots: DarkSpots) -> None:
    """Squares of 36 pixels moved by 2 columns share 24 of 48, by 3 columns 18 of 54."""
    for moved, score in ((2, 1.0), (3, 0.0)):
        image = picture([(2, 2)], [(2, 2 + moved)])
        assert validate(None, {"real": [image]}, PARAMS, CPU)["real"] == score


def test_debris_counts_for_nothing(spots: DarkSpots) -> None:
    """Squares of 9 pixels are debris, of 16 are not."""
    for side, score in ((3, 1.0), (4, 0.5)):
        image = picture([(2, 2)], [(2, 2)])
        image.rgb[20 : 20 + side, 30 : 30 + side] = 50
        assert validate(None, {"real": [image]}, PARAMS, CPU)["real"] == score


def test_images_have_white_around_them_and_keep_their_scale_and_stain(spots: DarkSpots) -> None:
    """Three diameters of 7.5 px, rounded up."""
    image = picture([(2, 2)], [(2, 2)])
    validate(None, {"real": [image]}, PARAMS, CPU)
    ((seen, mpp, stain),) = spots.seen
    assert (mpp, stain) == (0.4, STAIN)
    assert np.array_equal(seen[23:-23, 23:-23], image.rgb)
    seen[23:-23, 23:-23] = 255
    assert (seen == 255).all()


def test_without_held_out_images_there_is_no_score(spots: DarkSpots) -> None:
    scores = validate(None, {"real": [], "synthetic": []}, PARAMS, CPU)
    assert list(scores) == ["average_precision"]
    assert math.isnan(scores["average_precision"])


def test_a_network_is_judged_by_the_segmenter_that_will_use_it(shipped_weights: Weights, tissue: PaintedTissue) -> None:
    params = NucleiTrainingParams()
    image = rescaled(tissue.rgb, tissue.labels, params.diameter_px)
    score = validate(load_network(shipped_weights, CPU), {"real": [image]}, params, CPU)["real"]
    segmenter = CpnetSegmenter(shipped_weights, NucleiParams(runtime="torch", min_area_um2=0.0))
    framed = np.pad(image.rgb, ((48, 48), (48, 48), (0, 0)), constant_values=255)
    (labels,) = segmenter.segment([framed], segmenter.network_mpp(), image.stain)
    nuclei = whole_nuclei(labels[48:-48, 48:-48], 16)
    assert score == match_nuclei(image.labels, nuclei, 0.5).average_precision
    assert score > 0.6


def test_weights_in_training_are_used_at_the_training_scale(shipped_weights: Weights) -> None:
    params = replace(NucleiTrainingParams(), diameter_px=12.0, working_diameter_px=20.0)
    trained = trained_weights(load_network(shipped_weights, CPU), params)
    assert (trained.diameter_px, trained.channels, trained.style) == (12.0, (2, 16, 32, 64, 128), False)
    assert trained.input == "haematoxylin_luminance"
    assert all(np.array_equal(values, trained.state[name]) for name, values in shipped_weights.state.items())
