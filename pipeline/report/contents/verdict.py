"""What a run says, in words that follow from its numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from pipeline.artefacts.method_names import LEARNED_GRAPH
from pipeline.report.contents.contest import Contest, Finding
from pipeline.report.contents.graph_statistics import GraphSummary
from pipeline.report.contents.wording import decimal, plural, probability, title
from pipeline.report.params import LOWER_IS_BETTER


@dataclass(frozen=True)
class GraphPath:
    """Decisions about the graph path of a method beside a pooled model, over its seeds and folds.

    Attributes
    ----------
    n_on, n_runs
        Training runs in which patients that fitted neither path are helped by the graph; all of them.
    gains
        By how much it lowers their cross-entropy in these, nats an image; empty where nobody could judge.
    without_graph
        Headline metric of the pooled path alone on the test folds; None where it is undefined.
    """

    n_on: int
    n_runs: int
    gains: tuple[float, ...]
    without_graph: float | None

    @classmethod
    def of(cls, told: Sequence[Mapping[str, Any]], metric: str) -> "GraphPath | None":
        """From the key ``graph_path`` of ``metrics.json`` of each seed; None without any."""
        if not told:
            return None
        folds = [fold for path in told for fold in path["folds"]]
        without = [path["without_graph"]["mean"][metric] for path in told]
        gains = tuple(fold["gain"] for fold in folds if fold["on"] and fold["gain"] is not None)
        return cls(sum(fold["on"] for fold in folds), len(folds), gains, mean(without) if None not in without else None)


def headline(contest: Contest | None, method: str, path: GraphPath | None = None) -> str:
    """The verdict in one sentence."""
    subject = f"the learned graph ({method})" if method in LEARNED_GRAPH else method
    if path is not None and path.n_on == 0:
        subject = f"{method}, whose graph is switched off,"
    start = subject.replace("the learned graph", "The learned graph")
    if contest is None:
        return f"{start} stands alone: nothing was run to compare it with."
    kind = "baselines" if method in LEARNED_GRAPH else "other methods"
    rival = contest.rival + (f", the best of {contest.n_rivals} {kind}" if contest.n_rivals > 1 else "")
    return {
        "better": f"{start} does better than {rival}.",
        "worse": f"{start} does worse than {rival}.",
        "no difference shown": f"No difference shown between {subject} and {rival}.",
    }[contest.finding]


def difference_sentence(contest: Contest) -> str:
    """Both means, their difference with its interval, and the tests."""
    name, better = title(contest.metric), " (lower is better)" if contest.metric in LOWER_IS_BETTER else ""
    start = (
        f"{name[0].upper()}{name[1:]}{better} {contest.mean:.3f} against {contest.rival_mean:.3f} on "
        f"{plural(contest.n_images, 'image')} of {plural(contest.n_patients, 'patient')}"
    )
    if contest.difference is None or contest.interval is None:
        return f"{start}; no interval of the difference was computed (evaluate again to have one){_tests(contest)}."
    low, high = contest.interval
    return f"{start}: difference {contest.difference:+.3f}, 95% interval {low:+.3f} to {high:+.3f}{_tests(contest)}."


def _tests(contest: Contest) -> str:
    if contest.p is None:
        return ""
    folds = "" if contest.p_folds is None else f", {_p(contest.p_folds)} over folds"
    return f"; right and wrong calls by patient: {_p(contest.p)}{folds} (after Holm's correction)"


def _p(value: float) -> str:
    shown = probability(value)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


READINGS: Mapping[Finding, str] = {
    "better": "The baseline was picked as the best on these same test folds, which favours it, not the learned graph.",
    "worse": "The baseline was picked as the best on these same test folds, which favours it a little.",
    "no difference shown": "That is no proof that they are equal: few patients show large differences only.",
}


def reading_sentence(contest: Contest) -> str:
    """What the finding does not mean, and where interval and test disagree."""
    excludes = contest.interval is not None and not contest.interval[0] <= 0 <= contest.interval[1]
    if contest.finding == "no difference shown" and excludes:
        return (
            "The interval leaves out 0, but the calls themselves are not right more often than chance allows: too "
            "little to call it a difference."
        )
    return READINGS[contest.finding]


def guess_sentence(method: str, metric: str, low: float, high: float, chance: float) -> str:
    """That an interval holds what a guess gives."""
    return (
        f"The interval of {method} itself ({low:.3f} to {high:.3f}) holds what a guess gives ({title(metric)} "
        f"{chance:.3f}): nothing shows that it has learned the classes."
    )


def ahead_sentence(method: str, ahead: Mapping[str, str]) -> str | None:
    """Which baseline leads by which other metric; None where none does."""
    if not ahead:
        return None
    told = " and ".join(f"{name} by {title(metric)}" for metric, name in ahead.items())
    return f"Ahead of {method} in the mean all the same: {told}."


def graph_path_sentence(method: str, path: GraphPath, metric: str) -> str:
    """Whether patients held out within training say that the graph adds anything."""
    runs = plural(path.n_runs, "training run")
    if path.n_on == 0:
        return (
            f"Patients held out within training say that the learned graph of {method} adds nothing to what is read "
            f"without it, in any of {runs}: predictions come from pooled patches and a fixed graph of patches that "
            "look alike. Do not read its learned graphs as reasons."
        )
    judged = (
        f"lowers their cross-entropy by {min(path.gains):.3f} to {max(path.gains):.3f} nats an image"
        if path.gains
        else "not judged: too few patients"
    )
    return (
        f"Patients held out within training say that the learned graph of {method} adds to what is read without "
        f"it in {path.n_on} of {runs} ({judged}). Without it {title(metric)} is {decimal(path.without_graph)} on the "
        "test folds."
    )


def sparsity_sentence(method: str, summary: GraphSummary) -> str:
    """How sparse a method's graphs of test images are."""
    if summary.degree is None or summary.patches is None or not summary.histogram.sum():
        return f"{method} kept no edge between patches: there is no graph to read."
    possible = summary.patches - 1
    share = f" of {possible:.0f} possible ({summary.degree / possible:.0%})" if possible > 0 else ""
    weight = "" if summary.weight is None else f", mean weight {summary.weight:.2f}"
    return f"The graph joins a patch to {summary.degree:.1f} others{share}{weight}."
