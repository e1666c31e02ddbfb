"""How well a network finds the nuclei of held-out images, found as it will be used."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.nn import Module

from pipeline.arrays import Rgb
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.labels.whole_nuclei import whole_nuclei
from pipeline.nuclei.learning.augmentation import NETWORK_INPUT, OutlinedImage
from pipeline.nuclei.learning.cellpose_cpnet import state_of
from pipeline.nuclei.learning.detection_scores import Matches, match_nuclei
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.learning.training_pictures import Kinds
from pipeline.nuclei.network.cpnet_engine import CpnetEngine
from pipeline.nuclei.network.inference_engine import cpnet_segmenter
from pipeline.nuclei.network.weights import Weights
from pipeline.nuclei.params import NucleiParams

MIN_AREA_PX = 16
"""Nuclei smaller than this at the training scale count for nothing: debris."""

LEAST_IOU = 0.5
"""Overlap from which a nucleus counts as detected (2018 Data Science Bowl)."""

RIM_DIAMETERS = 3
"""White around an image, in nuclei, as beyond the border of a slide."""


def validate(network: Module, held_out: Kinds, params: NucleiTrainingParams, device: torch.device) -> dict[str, float]:
    """Average precision at ``LEAST_IOU`` over all nuclei of each kind, and ``average_precision``, their mean.

    Kinds without images are left out; without any the mean is nan.
    """
    segmenter = _segmenter(network, params, device)
    rim_px = math.ceil(RIM_DIAMETERS * params.diameter_px)
    scores = {kind: _average_precision(segmenter, images, rim_px) for kind, images in held_out.items() if images}
    return {**scores, "average_precision": float(np.mean(list(scores.values()))) if scores else math.nan}


def trained_weights(network: Module, params: NucleiTrainingParams) -> Weights:
    """A network in training as weights that are used at the training scale."""
    return Weights(
        name="training",
        digest="",
        state=state_of(network),
        channels=params.channels,
        input=NETWORK_INPUT,
        diameter_px=params.diameter_px,
        style=False,
    )


def _segmenter(network: Module, params: NucleiTrainingParams, device: torch.device) -> CpnetEngine:
    segmentation = replace(NucleiParams(), runtime="torch", min_area_um2=0.0, threads=torch.get_num_threads())
    return cpnet_segmenter(trained_weights(network, params), segmentation, "cuda" if device.type == "cuda" else "cpu")


def _average_precision(segmenter: CpnetEngine, images: Sequence[OutlinedImage], rim_px: int) -> float:
    matches = (match_nuclei(image.labels, _nuclei(segmenter, image, rim_px), LEAST_IOU) for image in images)
    return sum(matches, Matches(0, 0, 0)).average_precision


def _nuclei(segmenter: CpnetEngine, image: OutlinedImage, rim_px: int) -> Labels:
    framed: Rgb = np.pad(image.rgb, ((rim_px, rim_px), (rim_px, rim_px), (0, 0)), constant_values=255)
    labels = segmenter.segment([framed], segmenter.network_mpp(), image.stain)[0]
    return whole_nuclei(labels[rim_px:-rim_px, rim_px:-rim_px], MIN_AREA_PX)
