import numpy as np
import pytest

from pipeline.artefacts.metric_names import METRICS
from pipeline.artefacts.predictions import prediction_frame
from pipeline.training.evaluation import bootstrap
from pipeline.training.evaluation.bootstrap import bootstrap_intervals, paired_differences
from pipeline.training.evaluation.classification_metrics import compute_metrics
from pipeline.training.evaluation.fold_predictions import scored


def frame(seed, n=24, cases=8):
    """Predictions of ``cases`` patients with three images each."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([1, 1], size=n)
    labels = [str(label) for label in rng.integers(0, 2, size=n)]
    return prediction_frame(
        [f"s{i}" for i in range(n)], [f"p{i % cases}" for i in range(n)], labels, "01", probabilities
    )


def repeated(frames, n_draws):
    """The interval image by image: patients drawn, their rows repeated, metrics averaged over frames."""
    cases = sorted(set(frames[0]["case_id"]))
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(n_draws):
        drawn = [cases[i] for i in rng.integers(len(cases), size=len(cases))]
        metrics = []
        for table in frames:
            rows = np.concatenate([np.flatnonzero(table["case_id"] == case) for case in drawn])
            probabilities, labels = scored(table)
            metrics.append(compute_metrics(probabilities[rows], labels[rows]))
        draws.append(metrics)
    bounds = {}
    for name in METRICS:
        means = [np.nanmean([getattr(m, name) for m in metrics]) for metrics in draws]
        bounds[name] = np.quantile(means, [0.025, 0.975]).tolist()
    return bounds


def test_patients_are_drawn_with_all_their_images_in_all_runs(monkeypatch):
    monkeypatch.setattr(bootstrap, "BOOTSTRAP_DRAWS", 30)
    frames = [frame(1), frame(2)]
    intervals = bootstrap_intervals(frames)
    for name, bounds in repeated(frames, 30).items():
        assert intervals[name] == pytest.approx(bounds), name


def test_draws_are_the_same_however_many_are_computed_together(monkeypatch):
    monkeypatch.setattr(bootstrap, "BOOTSTRAP_DRAWS", 25)
    whole = bootstrap_intervals([frame(3)])
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", 4)
    assert np.array(list(bootstrap_intervals([frame(3)]).values())) == pytest.approx(np.array(list(whole.values())))


def test_a_metric_that_no_draw_defines_has_no_interval(monkeypatch):
    monkeypatch.setattr(bootstrap, "BOOTSTRAP_DRAWS", 5)
    one_class = frame(4).assign(label="0")
    intervals = bootstrap_intervals([one_class])
    assert intervals["auroc"] is None
    assert len(intervals["accuracy"]) == 2


def test_a_difference_of_paired_runs_is_narrower_than_that_of_its_parts(few_draws):
    rng = np.random.default_rng(0)
    labels = [*"ab" * 30]
    ids = [f"s{place}" for place in range(60)]

    def run(noise):
        right = np.array([label == "b" for label in labels])
        second = np.clip(0.5 + 0.2 * (right - 0.5) + shared + noise, 0.01, 0.99)
        return prediction_frame(ids, ids, labels, ("a", "b"), np.stack([1 - second, second], axis=1))

    shared = rng.normal(scale=0.2, size=60)
    one, other = run(rng.normal(scale=0.02, size=60)), run(0.0)
    difference, (low, high) = paired_differences([one], [other])["auroc"]
    areas = [compute_metrics(*scored(frame)).auroc for frame in (one, other)]
    assert difference == pytest.approx(areas[0] - areas[1])
    assert low <= difference <= high
    alone = bootstrap_intervals([one])["auroc"]
    assert high - low < (alone[1] - alone[0]) / 2


def test_a_method_does_not_differ_from_itself(few_draws):
    frame = prediction_frame(
        [*"stuv"], [*"stuv"], [*"abab"], ("a", "b"), np.array([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.7, 0.3]])
    )
    assert paired_differences([frame, frame], [frame, frame])["accuracy"] == (0.0, [0.0, 0.0])
