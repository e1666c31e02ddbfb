import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.errors import ArtefactError, CohortError, DeviceError
from pipeline.training.cohort.cohort_nodes import CohortNodes, SlideNodes
from pipeline.training.cohort.seeds import Seeds
from pipeline.training.fitting.calibration import fit_temperature
from pipeline.training.fitting.checkpoint import read_model, write_model
from pipeline.training.fitting.fitting import class_weight, fit_model
from pipeline.training.fitting.fitting_task import FittingTask
from pipeline.training.fitting.inference import predict_logits
from pipeline.training.fitting.steps import TrainingImages
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.methods.presets import METHODS, method_spec
from pipeline.training.params import TrainingParams

CPU = torch.device("cpu")
QUICK = TrainingParams(epochs=2, hidden=8, heads=2, pretraining_steps=10)


def fitted(cohort, rows, method="default", seed=0, params=QUICK):
    task = FittingTask(method_spec(method, params), Seeds(seed, "fold 0"), CPU, params.fitting)
    return fit_model(cohort, rows, task)


def weights(model):
    return {name: tensor.numpy() for name, tensor in model.network.state_dict().items()}


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


def changed(cohort, slide_ids):
    slides = dict(cohort.slides)
    for slide_id in slide_ids:
        nodes = slides[slide_id]
        slides[slide_id] = SlideNodes(nodes.x[:3] * -7 + 3, nodes.coords[:3])
    return CohortNodes(slides, cohort.feature_names)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_of_the_test_images_reaches_the_model(method, cohort):
    nodes, rows = cohort
    test = rows["role"] == "test"
    other_labels = rows.copy()
    other_labels.loc[test, "label"] = other_labels.loc[test, "label"].map({"0": "1", "1": "0"})
    expected, history = fitted(nodes, rows, method)
    for other in (
        fitted(changed(nodes, rows.loc[test, "slide_id"]), other_labels, method),
        fitted(nodes, rows[~test], method),
    ):
        assert same(weights(expected), weights(other[0]))
        assert np.array_equal(expected.scaler.mean, other[0].scaler.mean)
        assert history.equals(other[1])


def test_the_scaler_sees_the_train_role_only(cohort):
    nodes, rows = cohort
    others = rows.loc[rows["role"] != "train", "slide_id"]
    scalers = [fitted(n, rows)[0].scaler for n in (nodes, changed(nodes, others))]
    assert np.array_equal(scalers[0].mean, scalers[1].mean)
    train = np.concatenate([nodes.slides[s].x for s in rows.loc[rows["role"] == "train", "slide_id"]])
    np.testing.assert_allclose(scalers[0].mean, train.mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bytes(method, cohort, tmp_path):
    for number, name in enumerate(("a", "b")):
        torch.manual_seed(number)
        write_model(tmp_path / name, fitted(*cohort, method)[0], source="s")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    if method != "logistic":
        assert not same(weights(fitted(*cohort, method)[0]), weights(fitted(*cohort, method, seed=1)[0]))


def test_logistic_learns_from_every_role_but_test(cohort):
    nodes, rows = cohort
    plain = fitted(nodes, rows, "logistic")[0]
    for role, matters in (("structure", True), ("select", True), ("test", False)):
        moved = changed(nodes, rows.loc[rows["role"] == role, "slide_id"])
        assert same(weights(plain), weights(fitted(moved, rows, "logistic")[0])) is not matters


def test_inner_folds_of_logistic_are_by_patient(cohort):
    nodes, rows = cohort
    outside = rows["role"] != "test"
    one_patient = rows.assign(case_id=rows["case_id"].where(~outside | (rows["label"] == rows["label"].max()), "one"))
    with pytest.raises(CohortError, match="at least two patients a class; found 1, "):
        fitted(nodes, one_patient, "logistic")


def test_temperature_of_logistic_comes_from_logits_held_out(cohort):
    nodes, rows = cohort
    unselected = rows[rows["role"] != "select"]
    model, _ = fitted(nodes, unselected, "logistic", params=replace(QUICK, temperature_scaling=True))
    assert model.temperature != 1


def test_training_leaves_the_global_random_state_alone(cohort):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fitted(*cohort)
    assert torch.equal(torch.rand(3), expected)


def test_a_stored_model_predicts_as_before(cohort, tmp_path):
    nodes, rows = cohort
    model, _ = fitted(nodes, rows, "paper_a", params=replace(QUICK, nan_indicator=True, temperature_scaling=True))
    write_model(tmp_path / "model.pt", model, source="s")
    loaded = read_model(tmp_path / "model.pt", CPU)
    assert (loaded.spec, loaded.feature_names, loaded.class_names) == (model.spec, nodes.feature_names, ("0", "1"))
    assert (loaded.fitting, loaded.temperature) == (model.fitting, model.temperature)
    assert same(weights(model), weights(loaded))
    slides = list(nodes.slides.values())[:2]
    for one, other in zip(model.images(slides, CPU), loaded.images(slides, CPU), strict=True):
        assert torch.equal(one.x, other.x)


def test_rare_classes_weigh_more():
    images = [NodeImage(torch.zeros(1, 1), torch.zeros(1, 2), label) for label in (0, 0, 0, 1)]
    roles = TrainingImages(images[:2], images[2:], [])
    assert class_weight(roles, 2, balanced=True).tolist() == pytest.approx([4 / 6, 2])
    assert class_weight(roles, 2, balanced=False).tolist() == [1, 1]


def test_one_class_outside_the_test_fold_is_an_error(cohort):
    nodes, rows = cohort
    with pytest.raises(CohortError, match="at least two classes"):
        fitted(nodes, rows[(rows["label"] == "1") | (rows["role"] == "test")])


def test_image_without_nodes_is_an_error(cohort):
    nodes, rows = cohort
    slide_id = rows.loc[rows["role"] == "select", "slide_id"].iloc[0]
    empty = SlideNodes(np.zeros((0, 9), np.float32), np.zeros((0, 2), np.float32), "no tissue")
    with pytest.raises(CohortError, match=rf"{slide_id}.*no tissue"):
        fitted(CohortNodes({**nodes.slides, slide_id: empty}, nodes.feature_names), rows)


@pytest.mark.parametrize(("column", "noun"), [("slide_id", "slide"), ("case_id", "patient")])
def test_a_test_slide_or_patient_in_training_is_a_leak(column, noun, cohort):
    nodes, rows = cohort
    leaking = rows.copy()
    fold = rows["role"] == "test"
    leaking.loc[leaking.index[fold][0], column] = rows.loc[~fold, column].iloc[0]
    with pytest.raises(CohortError, match=rf"leak: {noun} '{rows.loc[~fold, column].iloc[0]}'"):
        fitted(nodes, leaking)


@pytest.mark.parametrize("kind", ["unrolled", "neumann"])
@pytest.mark.parametrize("method", ["default", "paper_a"])
def test_gradients_through_the_classifier_train_another_model_and_the_same_one_twice(kind, method, cohort):
    params = replace(QUICK, upper_gradient=kind)
    first, second, plain = (weights(fitted(*cohort, method, params=p)[0]) for p in (params, params, QUICK))
    assert same(first, second)
    assert not same(first, plain)


def test_one_level_methods_know_no_upper_gradient(cohort):
    params = replace(QUICK, upper_gradient="neumann")
    assert same(*(weights(fitted(*cohort, "joint", params=p)[0]) for p in (params, QUICK)))


def test_the_temperature_is_fitted_on_select_images_only(cohort):
    nodes, rows = cohort
    scaled, plain = (
        fitted(nodes, rows, "joint", params=replace(QUICK, temperature_scaling=on))[0] for on in (True, False)
    )
    assert same(weights(scaled), weights(plain))
    assert scaled.temperature != plain.temperature == 1
    select = rows[rows["role"] == "select"]
    images = scaled.images([nodes.slides[s] for s in select["slide_id"]], CPU)
    labels = np.array([scaled.class_names.index(label) for label in select["label"]])
    assert scaled.temperature == fit_temperature(predict_logits(scaled.network, images).double().numpy(), labels)
    with pytest.raises(CohortError, match="select_share"):
        fitted(nodes, rows[rows["role"] != "select"], "joint", params=replace(QUICK, temperature_scaling=True))


def test_beside_a_pooled_path_the_temperature_is_fitted_on_images_held_out_of_both(cohort):
    nodes, rows = cohort
    wanted = replace(QUICK, temperature_scaling=True)
    with_select, without = (
        fitted(nodes, chosen, params=wanted)[0] for chosen in (rows, rows[rows["role"] != "select"])
    )
    assert with_select.temperature != 1
    assert without.temperature != 1
    assert same(weights(fitted(nodes, rows)[0]), weights(with_select))


def test_half_precision_needs_cuda(cohort):
    with pytest.raises(DeviceError, match="bfloat16 needs a CUDA device, found cpu"):
        fitted(*cohort, params=replace(QUICK, precision="bfloat16"))


def test_a_model_of_version_1_predicts_as_before_and_is_told(cohort, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("pipeline.artefacts.unverified._said", set())
    model, _ = fitted(*cohort, "mean_pool")
    write_model(tmp_path / "model.pt", model, source="s")
    torch.save(torch.load(tmp_path / "model.pt", weights_only=True) | {"format_version": 1}, tmp_path / "model.pt")
    assert same(weights(model), weights(read_model(tmp_path / "model.pt", CPU)))
    assert "was written before abignet's files carried digests" in caplog.text


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda model: {"class_names": ("1", "0")}, "two classes or more, each once, sorted"),
        (lambda model: {"class_names": ("0", "0")}, "two classes or more, each once, sorted"),
        (lambda model: {"scaler": replace(model.scaler, scale=0 * model.scaler.scale)}, "scales above 0"),
        (lambda model: {"scaler": replace(model.scaler, mean=np.nan * model.scaler.mean)}, "finite medians and means"),
        (lambda model: {"feature_names": model.feature_names[1:]}, "one value of the scaler a feature"),
        (lambda model: {"temperature": 0.0}, "a temperature above 0"),
        (lambda model: {"network": with_nan(model.network)}, "finite weights"),
    ],
)
def test_a_model_that_contradicts_itself_is_refused(cohort, tmp_path, change, fault):
    model, _ = fitted(*cohort, "mean_pool")
    write_model(tmp_path / "model.pt", replace(model, **change(model)), source="s")
    with pytest.raises(ArtefactError, match=rf"model\.pt: it is half-written, damaged or edited: expected {fault}"):
        read_model(tmp_path / "model.pt", CPU)


def with_nan(network):
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = math.nan
    return network
