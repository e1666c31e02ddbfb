"""Files of network weights as a training writes them; ``network.weights`` reads them."""

from pathlib import Path

import numpy as np
import torch

from pipeline.artefacts.torch_file import write_torch
from pipeline.nuclei.network.weights import FORMAT, Weights


def save_weights(path: str | Path, weights: Weights, *, half: bool = False) -> None:
    """Write weights in our format; ``half`` stores real numbers in 16 bits, as those that are shipped.

    Raises
    ------
    OutputError
        If the place cannot be written to.
    """
    real = np.float16 if half else np.float32
    tensors = {
        name: torch.from_numpy(values.astype(real if np.issubdtype(values.dtype, np.floating) else values.dtype))
        for name, values in weights.state.items()
    }
    content = {
        "format": FORMAT,
        "state_dict": tensors,
        "channels": list(weights.channels),
        "input": weights.input,
        "diameter_px": float(weights.diameter_px),
        "style": weights.style,
        "licence": weights.licence,
        "training": dict(weights.training),
    }
    write_torch(path, content)
