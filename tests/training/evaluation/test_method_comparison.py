import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.metric_names import METRICS
from pipeline.artefacts.metrics import COMPARISON_COLUMNS, DIFFERENCE_COLUMNS
from pipeline.errors import CohortError
from pipeline.training.evaluation.classification_metrics import Metrics
from pipeline.training.evaluation.method_comparison import comparison_table, means, sample_sds
from pipeline.training.evaluation.paired_tests import corrected_resampled_p
from tests.training.predicted_frames import frame

pytestmark = pytest.mark.usefixtures("few_draws")


def test_methods_are_compared_over_the_same_images():
    runs = {
        "mean_pool": {0: {0: frame([1, 0] * 10)}},
        "default": {0: {0: frame([1] * 20)}},
        "joint": {0: {0: frame([1] * 19 + [0])}},
    }
    table = comparison_table(runs).set_index("method")
    assert set(table["reference"]) == {"default"}
    assert table.loc["mean_pool", "accuracy_difference"] == -0.5
    assert table.loc["mean_pool", "p_value"] == pytest.approx(2 / 2**10)
    assert table.loc["mean_pool", "p_holm"] == pytest.approx(4 / 2**10)
    assert table.loc["joint", "p_holm"] == 1
    assert pd.isna(table.loc["default", "p_value"])
    assert table.loc["default", "n_images"] == 20


def test_differences_of_all_metrics_have_intervals_that_hold_them():
    runs = {"default": {0: {0: frame([1] * 20)}}, "joint": {0: {0: frame([1, 0, 1] * 6 + [1, 1])}}}
    row = comparison_table(runs).set_index("method").loc["joint"]
    for metric in METRICS:
        low, mean, high = (row[f"{metric}_minus_reference{part}"] for part in ("_ci_low", "", "_ci_high"))
        assert low <= mean <= high, metric
    assert row["accuracy_minus_reference"] == pytest.approx(-0.3)
    assert row["accuracy_minus_reference_ci_high"] < 0
    assert comparison_table(runs).set_index("method").loc["default", list(DIFFERENCE_COLUMNS)].isna().all()


def test_the_interval_of_a_difference_is_over_images_and_folds_that_both_have():
    """The reference lacks fold 1 and the last images of fold 0, where the method is always wrong."""
    runs = {
        "default": {0: {0: frame([1] * 8)}},
        "joint": {0: {0: frame([1] * 8 + [0] * 4), 1: frame([0] * 8, 1)}},
    }
    row = comparison_table(runs).set_index("method").loc["joint"]
    assert [row[f"accuracy_minus_reference{part}"] for part in ("_ci_low", "", "_ci_high")] == [0, 0, 0]


def test_methods_without_common_images_cannot_be_compared():
    with pytest.raises(CohortError, match="same splits"):
        comparison_table({"default": {0: {0: frame([1] * 4)}}, "joint": {0: {0: frame([1] * 4, fold=1)}}})


def test_a_second_seed_on_the_same_patients_does_not_make_them_more():
    right = [1, 1, 1, 0] * 8
    one, two = (comparison_table({"default": {seed: {0: frame(right)} for seed in range(n)}}).iloc[0] for n in (1, 2))
    for name in ("accuracy_ci_low", "accuracy_ci_high"):
        assert one[name] == two[name]
    assert one["accuracy_ci_low"] < 0.75 < one["accuracy_ci_high"]


def test_methods_are_compared_over_folds_too():
    """Differences 0, -0.25, -0.5 over three folds, each half as large as the rest."""
    folds = {0: [1] * 4, 1: [1, 1, 1, 0], 2: [1, 0, 1, 0]}
    runs = {
        "default": {0: {fold: frame([1] * 4, fold) for fold in folds}},
        "joint": {0: {fold: frame(right, fold) for fold, right in folds.items()}},
        "logistic": {0: {fold: frame([0] * 4, fold) for fold in folds}},
    }
    table = comparison_table(runs).set_index("method")
    assert table.loc["joint", "p_folds"] == pytest.approx(corrected_resampled_p([0, -0.25, -0.5], 1 / 2))
    assert table.loc["joint", "p_folds_holm"] == table.loc["joint", "p_folds"]
    assert pd.isna(table.loc["logistic", "p_folds"])


def test_one_fold_a_seed_leaves_no_test_over_folds():
    methods = {"default": [1, 1, 1, 1], "joint": [1, 1, 0, 0]}
    runs = {
        method: {seed: {0: frame(right[seed:] + right[:seed])} for seed in (0, 1)} for method, right in methods.items()
    }
    table = comparison_table(runs)
    assert table["p_folds"].isna().all()
    assert {name: str(dtype) for name, dtype in table.dtypes.items() if str(dtype) != "object"} == {
        name: dtype for name, dtype in {**COMPARISON_COLUMNS, **DIFFERENCE_COLUMNS}.items() if dtype != "str"
    }


def test_means_and_deviations_are_of_the_defined_values():
    metrics = [Metrics(a, 1, 1, auroc, 0, 0) for a, auroc in ((1.0, np.nan), (0.5, 0.75), (0.75, np.nan))]
    assert means(metrics)["accuracy"] == 0.75
    assert means(metrics)["auroc"] == 0.75
    assert sample_sds(metrics)["accuracy"] == pytest.approx(0.25)
    assert sample_sds(metrics)["auroc"] is None
    assert means(metrics[:1])["auroc"] is None
