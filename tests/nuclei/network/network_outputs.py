"""What a network said, to nuclei."""

import numpy as np

from pipeline.nuclei.network.flow_dynamics import labels_from_flows
from pipeline.nuclei.network.inference_engine import steps_of
from pipeline.nuclei.params import NucleiParams


def labels_from_output(output: np.ndarray, params: NucleiParams, *, diameter_px: float) -> np.ndarray:
    """Nuclei (h, w) from the network's output (3, h, w), nuclei of ``diameter_px``, at the resolution of the output."""
    return labels_from_flows(
        output[:2],
        output[2],
        steps=steps_of(diameter_px),
        cellprob_threshold=params.cellprob_threshold,
        flow_threshold=params.flow_threshold,
    )
