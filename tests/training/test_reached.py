"""An edit of the training reruns what it can change: how far each rule of this room reaches."""

import subprocess
import sys

import pytest

from pipeline.reachability import reached_modules

LEARNING = {"classifiers", "fitting", "graphs", "methods"}


def inner_rooms(rule):
    """Inner rooms of the training that a rule reaches."""
    modules = (name.split(".") for name in reached_modules(f"pipeline.training.{rule}"))
    return {parts[2] for parts in modules if parts[1:2] == ["training"] and len(parts) > 3}


def test_evaluation_hangs_on_no_training():
    assert inner_rooms("evaluate") == {"evaluation"}


def test_splitting_hangs_on_no_method():
    assert inner_rooms("split_cohort") == {"cohort"}


@pytest.mark.parametrize("rule", ["train_fold", "train_final", "predict"])
def test_learning_hangs_on_no_evaluation(rule):
    assert inner_rooms(rule) == LEARNING | {"cohort"}


def test_prediction_hangs_on_nothing_that_only_fits():
    reached = set(reached_modules("pipeline.training.predict"))
    fits = {"bilevel", "steps", "hypergradients", "pretraining", "calibration", "unfinished", "fitting"}
    assert reached.isdisjoint(f"pipeline.training.fitting.{name}" for name in fits)
    assert reached.isdisjoint(f"pipeline.training.cohort.{name}" for name in ("feature_scaling", "patient_folds"))


@pytest.mark.parametrize("rule", ["split_cohort", "evaluate"])
def test_small_rules_start_without_torch(rule):
    code = f"import sys, pipeline.training.{rule}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
