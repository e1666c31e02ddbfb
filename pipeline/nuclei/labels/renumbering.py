"""Numbers of nuclei without gaps."""

from typing import Any

import numpy as np

from pipeline.arrays import Bools
from pipeline.compiled import compiled
from pipeline.nuclei.labels import Labels


def renumbered(labels: Labels, kept: Bools) -> Labels:
    """``labels`` numbered 1 to n by their first pixel in reading order, without those that are not ``kept``.

    Parameters
    ----------
    kept
        (highest label + 1,); what it says of the background does not matter.
    """
    result: Labels = _renumbered(labels, kept)
    return result


@compiled
def _renumbered(labels: Any, kept: Any) -> Any:
    number = np.zeros(len(kept), dtype=np.int32)
    result = np.zeros_like(labels)
    n_nuclei = 0
    for r in range(labels.shape[0]):
        for c in range(labels.shape[1]):
            label = labels[r, c]
            if label == 0 or not kept[label]:
                continue
            if number[label] == 0:
                n_nuclei += 1
                number[label] = n_nuclei
            result[r, c] = number[label]
    return result
