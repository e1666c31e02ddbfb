"""Tables of predictions of which it is said which are right."""

import numpy as np

from pipeline.artefacts.predictions import prediction_frame


def frame(right, fold=0, images_per_case=1):
    """Predictions of which those in ``right`` (0 or 1 an image) are correct."""
    n = len(right)
    labels = [str(i % 2) for i in range(n)]
    predicted = np.array([int(label) if ok else 1 - int(label) for label, ok in zip(labels, right, strict=True)])
    probabilities = np.where(np.arange(2) == predicted[:, None], 0.8, 0.2)
    cases = [f"p{fold}_{i // images_per_case}" for i in range(n)]
    ids = [f"s{fold}_{i}" for i in range(n)]
    return prediction_frame(ids, cases if images_per_case > 1 else ids, labels, ("0", "1"), probabilities)
