"""What a network said, to nuclei."""

import numpy as np

from pipeline.nuclei.network.cpnet_engine import steps_of
from pipeline.nuclei.network.flow_dynamics import follow_flows, labels_from_ends
from pipeline.nuclei.params import NucleiParams


def labels_from_output(output: np.ndarray, params: NucleiParams, *, diameter_px: float) -> np.ndarray:
    """Nuclei (h, w) from the network's output (3, h, w), nuclei of ``diameter_px``, at the resolution of the output."""
    pixels, ends = follow_flows(output, steps=steps_of(diameter_px), cellprob_threshold=params.cellprob_threshold)
    return labels_from_ends(pixels, ends, output[:2], flow_threshold=params.flow_threshold)
