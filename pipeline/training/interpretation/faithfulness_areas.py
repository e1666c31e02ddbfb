"""Curves of deletion and insertion of many images, as areas with their spread."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.integrate import trapezoid
from scipy.stats import t as student_t

from pipeline.arrays import Float64s
from pipeline.artefacts.faithfulness import (
    DELETION,
    DIRECTIONS,
    EVIDENCE,
    INSERTION,
    ORDERS,
    RANDOM,
    WEIGHT,
    Faithfulness,
)
from pipeline.artefacts.interpretation import TABLES

PARTS = ("patches", "edges")

CONFIDENCE = 0.95


def area_table(folds: Sequence[Faithfulness]) -> pd.DataFrame:
    """Table ``faithfulness`` of ``artefacts.interpretation``: one row a part, direction and order.

    The area is the mean of the curve over fractions (trapezoids).  The interval is of the
    mean difference from the area by chance in the same image (Student's t over images).
    """
    rows = []
    for (part, direction, order), curves in _groups(folds):
        fractions = np.asarray(folds[0].fractions)
        areas = trapezoid(curves[order], fractions, axis=1)
        less = areas - trapezoid(curves[RANDOM], fractions, axis=1)
        spread = areas.std(ddof=1) if len(areas) > 1 else np.nan
        low, high = _interval(less)
        row = (part, direction, order, len(areas), areas.mean(), spread, less.mean(), low, high)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(TABLES["faithfulness"]))


def curve_table(folds: Sequence[Faithfulness]) -> pd.DataFrame:
    """Table ``curves``: mean and SD over images at each fraction."""
    rows = []
    for (part, direction, order), curves in _groups(folds):
        mean = curves[order].mean(axis=0)
        spread = curves[order].std(axis=0, ddof=1) if len(curves[order]) > 1 else np.full(len(mean), np.nan)
        rows += [(part, direction, order, *at) for at in zip(folds[0].fractions, mean, spread, strict=True)]
    return pd.DataFrame(rows, columns=list(TABLES["curves"]))


def faithful(areas: pd.DataFrame, part: str) -> str:
    """What the areas say of the evidence of patches or edges, in a sentence."""
    of_part = areas[(areas["part"] == part) & (areas["order"] == EVIDENCE)]
    if of_part.empty:
        return f"Evidence of {part} was not tested: there is none."
    high = dict(zip(of_part["direction"], of_part["less_random_ci_high"], strict=True))
    low = dict(zip(of_part["direction"], of_part["less_random_ci_low"], strict=True))
    falls, rises = high[DELETION] < 0, low[INSERTION] > 0
    n_images = int(of_part["n_images"].max())
    if falls and rises:
        return f"Evidence of {part} is faithful: taking and adding them in its order beats chance ({n_images} images)."
    if falls or rises:
        return f"Evidence of {part} is half faithful: only {'taking' if falls else 'adding'} them beats chance."
    return f"Evidence of {part} is not shown to be faithful: its order does no better than chance ({n_images} images)."


def _groups(folds: Sequence[Faithfulness]) -> Iterator[tuple[tuple[str, str, str], dict[str, Float64s]]]:
    """Part, direction and order, and the curves (n_images, n_fractions) of that part and direction by order."""
    for part in PARTS:
        images = [curves for fold in folds for curves in getattr(fold, part).values()]
        for direction in DIRECTIONS if images else ():
            by_order = {order: np.array([curves[direction][order] for curves in images]) for order in ORDERS}
            for order in (EVIDENCE, WEIGHT, RANDOM):
                yield (part, direction, order), by_order


def _interval(values: Float64s) -> tuple[float, float]:
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    margin = student_t.ppf((1 + CONFIDENCE) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return float(values.mean() - margin), float(values.mean() + margin)
