"""The comparison of methods and their confusion, as lines of text for a terminal."""

import math

import pandas as pd

from pipeline.artefacts.metric_names import METRICS
from pipeline.artefacts.metrics import TRAINED
from pipeline.training.evaluation.fold_predictions import MethodFrames, confusion_of


def table_text(table: pd.DataFrame) -> str:
    """A comparison as lines of text: each metric as mean +- SD and [95 % interval], then the paired tests.

    Parameters
    ----------
    table
        Columns of ``artefacts.metrics.COMPARISON_COLUMNS``.
    """
    cells = {"method": table["method"], "runs": table["n_runs"], "images": table["n_images"]}
    for name in METRICS:
        parts = zip(*(table[f"{name}_{part}"] for part in ("mean", "sd", "ci_low", "ci_high")), strict=True)
        cells[name] = pd.Series([_measured(*row) for row in parts], index=table.index)
    cells["difference"] = table["accuracy_difference"].map(lambda d: _number(d, "+.3f"))
    for name, title in (("p_holm", "p patients"), ("p_folds_holm", "p folds")):
        cells[title] = table[name].map(lambda p: _number(p, ".3g"))
    reference = table["reference"].iloc[0]
    note = (
        "mean +- SD over runs (seeds x folds), [95 % bootstrap interval over patients]; "
        f"difference of accuracy from {reference}, p with Holm's correction"
    )
    left_out = [f"{row.method}: {row.status}" for row in table.itertuples() if row.status != TRAINED]
    return "\n".join([pd.DataFrame(cells).to_string(index=False), note, *left_out])


def _measured(mean: float, sd: float, low: float, high: float) -> str:
    spread = "" if math.isnan(sd) else f" +- {sd:.3f}"
    interval = "" if math.isnan(low) else f" [{low:.3f}, {high:.3f}]"
    return _number(mean, ".3f") + spread + interval


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def confusion_text(methods: MethodFrames) -> str:
    """Confusion matrix of each method as lines of text: true classes down, predicted across, over seeds and folds."""
    lines = []
    for method, seeds in methods.items():
        frames = [frame for folds in seeds.values() for frame in folds.values()]
        classes, counts = confusion_of(frames)
        lines += [f"{method}: true by predicted", pd.DataFrame(counts, classes, classes).to_string()]
    return "\n".join(lines)
