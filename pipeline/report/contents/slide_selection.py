"""Which slides are drawn: a choice that depends on the results alone, so that reruns draw the same."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeVar

import pandas as pd

from pipeline.report.contents.cohort_outcome import SlideSummary

Item = TypeVar("Item", str, int)


def in_turn(groups: Sequence[Sequence[Item]]) -> list[Item]:
    """First of every group, then second of every group, and so on."""
    return [item for turn in zip_longest(*groups) for item in turn if item is not None]


def drawn_test_images(predictions: pd.DataFrame, n: int) -> list[str]:
    """Ids of ``n`` test images, wrongly and rightly predicted ones in turn while both last.

    Among each, classes take turns in alphabetic order, and images of a class in the
    order of their ids.

    Parameters
    ----------
    predictions
        Test predictions of one method and seed: ``slide_id``, ``label``, ``predicted``.
    """
    ordered = predictions.sort_values(["label", "slide_id"], kind="stable")
    right = ordered["label"] == ordered["predicted"]
    halves = [
        in_turn([list(group["slide_id"]) for _, group in part.groupby("label", sort=True)])
        for part in (ordered[~right], ordered[right])
    ]
    return in_turn(halves)[:n]


def pictured_slides(cohort: Sequence[SlideSummary], first: Sequence[str], n: int) -> list[SlideSummary]:
    """``n`` slides with kept tiles: those of ``first``, in its order, then others, classes in turn.

    Unlabelled slides come last.
    """
    usable = {slide.row.slide_id: slide for slide in cohort if slide.n_kept}
    groups: dict[str, list[str]] = defaultdict(list)
    for slide_id, slide in sorted(usable.items()):
        if slide_id not in first:
            groups["~" if slide.row.label is None else f"!{slide.row.label}"].append(slide_id)
    labelled = in_turn([ids for key, ids in sorted(groups.items()) if key != "~"])
    chosen = [slide_id for slide_id in first if slide_id in usable] + labelled + groups["~"]
    return [usable[slide_id] for slide_id in chosen[:n]]
