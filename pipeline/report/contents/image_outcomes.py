"""What became of every test image: called right or wrong, how surely, under how many seeds, by how many methods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from pipeline.report.contents.method_results import probability_columns

SURE = 0.8
"""A wrong call of at least this probability is an over-confident one."""


@dataclass(frozen=True)
class ImageOutcome:
    """One image of the test folds.

    Attributes
    ----------
    predicted
        Most probable class, by the mean of probabilities over seeds.
    probability
        Of that class, mean over seeds.
    fold
        That held it out under the first seed.
    seeds_wrong, n_seeds
        Seeds under which the method called it wrong, and all that tested it.
    methods_wrong, n_methods
        Methods that call it wrong by the mean over seeds, and all that tested it.
    """

    slide_id: str
    case_id: str
    label: str
    predicted: str
    probability: float
    fold: int
    seeds_wrong: int
    n_seeds: int
    methods_wrong: int
    n_methods: int

    @property
    def is_wrong(self) -> bool:
        """Whether the mean over seeds calls it wrong."""
        return self.predicted != self.label


def image_outcomes(
    predictions: Mapping[str, pd.DataFrame], method: str, classes: Sequence[str], slide_ids: Sequence[str]
) -> tuple[ImageOutcome, ...]:
    """Those of ``slide_ids`` that ``method`` was tested on, in their order.

    Parameters
    ----------
    predictions
        Of each method, all folds and seeds; see ``method_results.Results``.
    """
    frame = predictions[method]
    called = {name: _called(table, classes) for name, table in predictions.items()}
    by_slide = (frame["predicted"] != frame["label"]).groupby(frame["slide_id"])
    n_wrong, n_seeds = (
        dict(zip(counts.index, counts.tolist(), strict=True)) for counts in (by_slide.sum(), by_slide.size())
    )
    first = frame.drop_duplicates("slide_id").set_index("slide_id")
    images = []
    for slide_id in (slide_id for slide_id in slide_ids if slide_id in first.index):
        row, own = first.loc[slide_id], called[method].loc[slide_id]
        verdicts = [t.loc[slide_id, "predicted"] != row["label"] for t in called.values() if slide_id in t.index]
        images.append(
            ImageOutcome(
                slide_id,
                str(row["case_id"]),
                str(row["label"]),
                str(own["predicted"]),
                float(own["probability"]),
                int(row["fold"]),
                seeds_wrong=int(n_wrong[slide_id]),
                n_seeds=int(n_seeds[slide_id]),
                methods_wrong=sum(verdicts),
                n_methods=len(verdicts),
            )
        )
    return tuple(images)


def _called(frame: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """``predicted`` and its ``probability`` by slide, from probabilities averaged over seeds."""
    if frame.empty:
        return pd.DataFrame(columns=["predicted", "probability"])
    probabilities = pd.DataFrame(probability_columns(frame, classes), index=frame["slide_id"].to_numpy())
    mean = probabilities.groupby(level=0, sort=False).mean()
    values = mean.to_numpy(np.float64)
    names = [classes[place] for place in values.argmax(axis=1)]
    return pd.DataFrame({"predicted": names, "probability": values.max(axis=1)}, index=mean.index)


def sure_errors(images: Sequence[ImageOutcome], sure: float = SURE) -> tuple[ImageOutcome, ...]:
    """Images called wrong with a probability of at least ``sure``, the surest first."""
    wrong = [image for image in images if image.is_wrong and image.probability >= sure]
    return tuple(sorted(wrong, key=lambda image: (-image.probability, image.slide_id)))


def pooled_auroc(predictions: pd.DataFrame, classes: Sequence[str]) -> float | None:
    """AUROC of test predictions of all folds at once, one class against the rest, mean over classes.

    None where a class has no image.

    Parameters
    ----------
    predictions
        Every image once: ``label`` and one ``p_<class>`` a class.
    """
    labels = predictions["label"].to_numpy(object)
    scores = probability_columns(predictions, classes)
    # With two classes the second curve is the first one turned round.
    places = range(1, 2) if len(classes) == 2 else range(len(classes))
    positives = [labels == classes[place] for place in places]
    if not len(labels) or any(positive.all() or not positive.any() for positive in positives):
        return None
    areas = [roc_auc_score(positive, scores[:, place]) for place, positive in zip(places, positives, strict=True)]
    return float(np.mean(areas))
