"""The method of interest against the best of the baselines, and what may be concluded from it."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from pipeline.artefacts.method_names import LEARNED_GRAPH
from pipeline.report.contents.cohort_outcome import patients
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.params import LOWER_IS_BETTER

SIGNIFICANT = 0.05
"""Level of a Holm-corrected test."""

Finding = Literal["better", "worse", "no difference shown"]


@dataclass(frozen=True)
class Contest:
    """A method against the best of its rivals on the same test images; None marks what was not computed.

    Attributes
    ----------
    method
        The reference of ``comparison.csv``.
    rival
        The best of the baselines by ``metric``, or of all others where none is a baseline.
    n_rivals
        Among how many the rival was picked.
    metric
        The headline metric.
    mean, rival_mean
        Over runs.
    difference, interval
        Method minus rival in ``metric``: mean over runs, and its 95% interval over patients.
    p
        Exact sign-flip test of right and wrong calls over patients, Holm-corrected for all methods compared.
    p_folds
        Corrected t-test over folds and seeds, Holm-corrected.
    n_images, n_patients
        Tested.
    """

    method: str
    rival: str
    n_rivals: int
    metric: str
    mean: float
    rival_mean: float
    difference: float | None
    interval: tuple[float, float] | None
    p: float | None
    p_folds: float | None
    n_images: int
    n_patients: int

    @property
    def gain(self) -> float:
        """By how much the method is better than the rival, whichever way its metric counts."""
        difference = self.mean - self.rival_mean if self.difference is None else self.difference
        return -difference if self.metric in LOWER_IS_BETTER else difference

    @property
    def finding(self) -> Finding:
        """A difference counts as shown where its interval excludes 0 and right calls differ by the test over patients.

        Either alone is not enough: intervals of few patients are too narrow, and the test is of another metric. Only
        where no interval was computed the test stands alone.
        """
        holds_zero = self.interval is not None and self.interval[0] <= 0 <= self.interval[1]
        if holds_zero or self.p is None or self.p >= SIGNIFICANT:
            return "no difference shown"
        return "better" if self.gain > 0 else "worse"


def best_rival(contents: ReportContents) -> tuple[str, int] | None:
    """Best of the baselines of a learned graph by the headline metric, and among how many; else of all others."""
    others = [
        method for method in contents.ranked if method != contents.reference and _mean(contents, method) is not None
    ]
    baselines = [method for method in others if method not in LEARNED_GRAPH]
    rivals = (baselines or others) if contents.reference in LEARNED_GRAPH else others
    return (rivals[0], len(rivals)) if rivals else None


def read_contest(contents: ReportContents) -> Contest | None:
    """The reference against its best rival; None where there is no rival or no number."""
    best = best_rival(contents)
    mean = _mean(contents, contents.reference)
    if best is None or mean is None:
        return None
    rival, n_rivals = best
    metric = contents.params.headline_metric
    table = contents.results.comparison.set_index("method")
    row: Mapping[Hashable, Any] = table.loc[rival].to_dict()
    against = f"{metric}_minus_reference"
    low, high = (_number(row.get(f"{against}_ci_{end}")) for end in ("low", "high"))
    difference = _number(row.get(against))
    return Contest(
        method=contents.reference,
        rival=rival,
        n_rivals=n_rivals,
        metric=metric,
        mean=mean,
        rival_mean=_mean(contents, rival) or 0.0,
        difference=None if difference is None else -difference,
        interval=None if low is None or high is None else (-high, -low),
        p=_number(row.get("p_holm")),
        p_folds=_number(row.get("p_folds_holm")),
        n_images=len(contents.tested),
        n_patients=patients(contents.tested),
    )


def holds_a_guess(contents: ReportContents) -> tuple[float, float, float] | None:
    """Bounds of the reference's headline metric, and what a guess gives, where that lies between them; else None."""
    metric, method = contents.params.headline_metric, contents.reference
    chance = contents.chance.get(metric)
    row = contents.results.comparison.set_index("method").loc[method]
    low, high = (_number(row.get(f"{metric}_ci_{end}")) for end in ("low", "high"))
    if low is None or high is None:
        low, high = contents.results.metrics[method, contents.sources.seeds[0]].ci95.get(metric) or (None, None)
    if chance is None or low is None or high is None or not low <= chance <= high:
        return None
    return low, high, chance


def ahead_elsewhere(contents: ReportContents, metrics: tuple[str, ...] = ("accuracy", "auroc")) -> dict[str, str]:
    """Baseline with a better mean than the reference, by metric, where there is one."""
    ahead = {}
    for metric in metrics:
        order = [m for m in contents.results.ranked(contents.sources.methods, metric) if m not in LEARNED_GRAPH]
        best, own = order[0] if order else None, contents.results.spread(contents.reference, metric).mean
        if best is None or best == contents.reference or own is None:
            continue
        other = contents.results.spread(best, metric).mean
        if other is not None and other > own:
            ahead[metric] = best
    return ahead


def _mean(contents: ReportContents, method: str) -> float | None:
    return contents.results.spread(method, contents.params.headline_metric).mean


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
