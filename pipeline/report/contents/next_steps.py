"""What to do next, decided by what a run has shown and what it lacks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.artefacts.method_names import LEARNED_GRAPH
from pipeline.report.contents.contest import Contest
from pipeline.report.contents.wording import plural, title

MOST_STEPS = 5
"""More are no plan."""


@dataclass(frozen=True)
class Situation:
    """What the steps are decided by.

    Attributes
    ----------
    method
        The reference.
    contest
        It against its best rival; None without one.
    graph_is_off
        Whether its graph path is refused in every training run; None where it has none.
    n_wrong, n_always_wrong, n_sure_wrong
        Test images called wrong; under every seed; with a high probability.
    n_seeds, n_folds
        Trained.
    n_patients, few_patients
        In the folds, and the number below which they are few.
    is_patient_level
        Whether the sheet names all patients.
    n_cut
        Images of which tiling leaves out much at the rim.
    is_at_chance
        Whether the interval of the method holds what a guess gives.
    is_confounded
        Whether facts beside the tissue, or the patient, tell as much as the class.
    """

    method: str
    contest: Contest | None = None
    graph_is_off: bool | None = None
    n_wrong: int = 0
    n_always_wrong: int = 0
    n_sure_wrong: int = 0
    n_seeds: int = 3
    n_folds: int = 5
    n_patients: int = 1000
    few_patients: int = 50
    is_patient_level: bool = True
    n_cut: int = 0
    is_confounded: bool = False
    is_at_chance: bool = False


@dataclass(frozen=True)
class Step:
    """One thing to do, and the anchor of the page where it begins; "" where it begins elsewhere."""

    text: str
    anchor: str = ""


def next_steps(situation: Situation) -> tuple[Step, ...]:
    """Steps that apply, the most urgent first."""
    applying = [step for decide in STEPS if (step := decide(situation)) is not None]
    return tuple(applying[:MOST_STEPS])


def _name_patients(situation: Situation) -> Step | None:
    if situation.is_patient_level:
        return None
    return Step(
        "Name the patient of every slide (column case_id) and run again: images of one patient may be in both sets."
    )


def _compare(situation: Situation) -> Step | None:
    if situation.contest is not None:
        return None
    return Step(f"Run baselines beside {situation.method} (methods: [{situation.method}, logistic, mean_pool]).")


def _untangle(situation: Situation) -> Step | None:
    if not situation.is_confounded:
        return None
    return Step(
        "Find out whether the model reads tissue: test on slides where what is warned of does not go with class.",
        "cautions",
    )


def _see_wrong(situation: Situation) -> Step | None:
    if not situation.n_wrong:
        return None
    sure = f", first the {situation.n_sure_wrong} it was sure of" if situation.n_sure_wrong else ""
    always = (
        f" ({situation.n_always_wrong} of them under every seed)"
        if situation.n_seeds > 1 and situation.n_always_wrong
        else ""
    )
    return Step(f"Look at {plural(situation.n_wrong, 'slide')} called wrong{always}{sure}.", "wrong")


def _learn_anything(situation: Situation) -> Step | None:
    if not situation.is_at_chance:
        return None
    return Step(
        "Find out first whether the classes can be told at all: look at labels, tiles and nuclei before any method.",
        "slides",
    )


def _use_the_simpler(situation: Situation) -> Step | None:
    contest = situation.contest
    if contest is None or (contest.finding == "better" and not situation.graph_is_off) or situation.is_at_chance:
        return None
    if situation.method not in LEARNED_GRAPH:
        return Step(f"Use {contest.rival} in its place.") if contest.finding == "worse" else None
    reason = "the graph is refused here" if situation.graph_is_off else "the graph has not shown to add anything here"
    return Step(f"Use {contest.rival}, which is simpler, and explain nothing by the graphs: {reason}.")


def _test_elsewhere(situation: Situation) -> Step | None:
    contest = situation.contest
    unshown = contest is None or contest.finding != "better" or situation.graph_is_off
    if unshown or situation.is_at_chance:
        return None
    return Step(
        "Test the final model on patients of another hospital (prediction: sheet): all folds here are one cohort's."
    )


def _more_patients(situation: Situation) -> Step | None:
    contest, few = situation.contest, situation.n_patients < situation.few_patients
    undecided = contest is not None and contest.finding == "no difference shown"
    if not few and not undecided:
        return None
    if contest is None or contest.interval is None:
        return Step(f"Add patients: {plural(situation.n_patients, 'patient')} tell large differences apart only.")
    width = (contest.interval[1] - contest.interval[0]) / 2
    return Step(
        f"Add patients: {plural(situation.n_patients, 'patient')} tell {title(contest.metric)} apart to ±{width:.2f}; "
        "half of that takes about four times as many."
    )


def _more_seeds(situation: Situation) -> Step | None:
    if situation.n_seeds > 1:
        return None
    return Step("Train with more seeds (seeds: [0, 1, 2]): one cannot tell luck from method.")


def _calibrate(situation: Situation) -> Step | None:
    if not situation.n_sure_wrong:
        return None
    return Step("Calibrate probabilities (training: temperature_scaling: true) before anyone reads them.", "results")


def _keep_rims(situation: Situation) -> Step | None:
    if not situation.n_cut:
        return None
    return Step("Tile to the rim (tiling: edge: pad, or smaller tiles) and run again.")


STEPS: Sequence[Callable[[Situation], Step | None]] = (
    _name_patients,
    _compare,
    _learn_anything,
    _untangle,
    _see_wrong,
    _use_the_simpler,
    _test_elsewhere,
    _keep_rims,
    _more_patients,
    _calibrate,
    _more_seeds,
)
