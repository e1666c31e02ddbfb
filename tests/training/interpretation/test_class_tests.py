import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, kruskal, mannwhitneyu

from pipeline.training.interpretation.class_tests import class_tests, false_discovery, pairwise_tests


def images(n_patients=12, per_patient=5, difference=0.0, seed=0):
    """Images of patients with effects of their own; of class b with ``difference`` more of ``signal``."""
    rng = np.random.default_rng(seed)
    rows = []
    for patient in range(n_patients):
        effect, label = rng.normal(size=2), "ab"[patient % 2]
        for _ in range(per_patient):
            signal, noise = effect + rng.normal(scale=0.1, size=2)
            rows.append((f"p{patient}", label, signal + difference * (label == "b"), noise, 1.0))
    return pd.DataFrame(rows, columns=["case_id", "label", "signal", "noise", "constant"])


NAMES = ("signal", "noise", "constant")


def test_patients_are_the_unit():
    table = images(difference=5.0)
    found = class_tests(table, NAMES).set_index("name")
    means = table.groupby(["case_id", "label"]).mean().reset_index()
    h, p = kruskal(*(group["signal"] for _, group in means.groupby("label")))
    assert found.loc["signal", ["n_patients", "h", "p"]].tolist() == pytest.approx([12, h, p])
    assert found.loc["signal", "epsilon_squared"] == pytest.approx(h / 11)
    assert found.loc["signal", "median_b"] > found.loc["signal", "median_a"] + 3


def test_images_of_one_patient_are_no_evidence_by_their_number():
    """Under no difference, tests of images call much significant; tests of patients do not."""
    by_patient, by_image = [], []
    for seed in range(60):
        table = images(seed=seed, per_patient=8)
        by_patient.append(class_tests(table, ["noise"])["p"][0])
        by_image.append(kruskal(*(group["noise"] for _, group in table.groupby("label"))).pvalue)
    assert np.mean(np.array(by_patient) < 0.05) < 0.15
    assert np.mean(np.array(by_image) < 0.05) > 0.3


def test_what_does_not_vary_has_no_p():
    table = images()
    assert class_tests(table, NAMES).set_index("name").loc["constant", ["p", "q"]].isna().all()
    assert pairwise_tests(table, ["constant"])[["p", "p_holm", "cliffs_delta"]].isna().all(axis=None)


def test_pairs_are_mann_whitney_with_their_size():
    table = images(difference=5.0)
    means = table.groupby(["case_id", "label"])["signal"].mean().reset_index()
    a, b = (means.loc[means["label"] == label, "signal"] for label in "ab")
    (row,) = pairwise_tests(table, ["signal"]).itertuples()
    assert (row.one, row.other) == ("a", "b")
    assert row.p == pytest.approx(mannwhitneyu(a, b).pvalue)
    more = np.sign(a.to_numpy()[:, None] - b.to_numpy()).mean()
    assert row.cliffs_delta == pytest.approx(more)
    assert pairwise_tests(table, NAMES)["p_holm"].iloc[0] == pytest.approx(2 * row.p)


def test_false_discovery_is_that_of_scipy_and_leaves_nan():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.5])
    q = false_discovery(p)
    assert np.isnan(q[1])
    np.testing.assert_allclose(q[[0, 2, 3, 4]], false_discovery_control(p[[0, 2, 3, 4]]))
