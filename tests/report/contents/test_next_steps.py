from dataclasses import replace

import pytest

from pipeline.report.contents.contest import Contest
from pipeline.report.contents.next_steps import MOST_STEPS, Situation, next_steps

CONTEST = Contest("default", "logistic", 3, "auroc", 0.9, 0.8, 0.1, (0.02, 0.18), 0.001, 0.02, 60, 80)
QUIET = Situation("default", CONTEST, graph_is_off=False, n_patients=80)
WORSE = replace(CONTEST, difference=-0.1, interval=(-0.18, -0.02))
UNDECIDED = replace(CONTEST, interval=(-0.05, 0.15))


def said(situation: Situation) -> list[str]:
    return [step.text for step in next_steps(situation)]


def test_a_clear_run_is_to_be_tested_elsewhere_and_nothing_more() -> None:
    assert [text.partition(" (")[0] for text in said(QUIET)] == ["Test the final model on patients of another hospital"]


@pytest.mark.parametrize(
    ("situation", "step"),
    [
        (replace(QUIET, is_patient_level=False), "Name the patient of every slide"),
        (replace(QUIET, contest=None), "Run baselines beside default"),
        (replace(QUIET, is_confounded=True), "Find out whether the model reads tissue"),
        (replace(QUIET, n_wrong=1), "Look at 1 slide called wrong."),
        (
            replace(QUIET, n_wrong=3, n_always_wrong=2, n_sure_wrong=1),
            "Look at 3 slides called wrong (2 of them under every seed), first the 1 it was sure of.",
        ),
        (replace(QUIET, n_wrong=3, n_always_wrong=3, n_seeds=1), "Look at 3 slides called wrong."),
        (
            replace(QUIET, graph_is_off=True),
            "Use logistic, which is simpler, and explain nothing by the graphs: the graph is",
        ),
        (replace(QUIET, contest=UNDECIDED), "Use logistic, which is simpler"),
        (replace(QUIET, contest=UNDECIDED), "Add patients: 80 patients tell AUROC apart to ±0.10; half of that takes"),
        (replace(QUIET, n_patients=20), "Add patients: 20 patients tell AUROC apart to ±0.08"),
        (replace(QUIET, contest=None, n_patients=20), "Add patients: 20 patients tell large differences apart only."),
        (replace(QUIET, n_seeds=1), "Train with more seeds"),
        (replace(QUIET, n_sure_wrong=1), "Calibrate probabilities"),
        (replace(QUIET, n_cut=4), "Tile to the rim"),
    ],
)
def test_each_lack_has_its_step(situation: Situation, step: str) -> None:
    assert any(text.startswith(step) for text in said(situation)), said(situation)


@pytest.mark.parametrize("situation", [replace(QUIET, graph_is_off=True), replace(QUIET, contest=UNDECIDED)])
def test_nothing_is_tested_elsewhere_that_has_not_shown_itself_here(situation: Situation) -> None:
    assert not any("another hospital" in text for text in said(situation))


def test_who_guesses_is_looked_into_and_not_replaced_by_another() -> None:
    guess = replace(QUIET, contest=UNDECIDED, is_at_chance=True)
    assert said(guess)[0].startswith("Find out first whether the classes can be told at all")
    assert not any(text.startswith("Use ") for text in said(guess))


@pytest.mark.parametrize(("contest", "replaced"), [(UNDECIDED, False), (WORSE, True)])
def test_a_baseline_is_replaced_by_what_is_better_alone(contest: Contest, replaced: bool) -> None:
    texts = said(replace(QUIET, method="logistic", contest=contest))
    assert ("Use logistic in its place." in texts) is replaced
    assert not any("graph" in text for text in texts)


def test_a_plan_has_few_steps_and_begins_with_the_gravest() -> None:
    everything = replace(
        QUIET, contest=None, is_patient_level=False, is_confounded=True, n_wrong=5, n_sure_wrong=2, n_seeds=1, n_cut=3
    )
    assert len(next_steps(everything)) == MOST_STEPS
    assert next_steps(everything)[0].text.startswith("Name the patient")


def test_wrong_slides_are_led_to() -> None:
    (step, *_) = next_steps(replace(QUIET, n_wrong=2))
    assert step.anchor == "wrong"
