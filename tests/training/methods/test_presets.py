from dataclasses import asdict

import pytest
import torch

from pipeline.errors import ConfigError
from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.methods.presets import METHODS, MOST_NEIGHBOURS, method_spec, spec_from_plain
from pipeline.training.params import TrainingParams


def test_given_values_beat_the_preset_and_the_rest_stays():
    spec = method_spec("paper_a", TrainingParams(epochs=7, dropout=0.0))
    assert (spec.settings.epochs, spec.settings.dropout) == (7, 0.0)
    assert (spec.settings.learning_rate, spec.settings.batch_size) == (1e-4, 1)


def test_an_unknown_method_lists_the_known():
    with pytest.raises(ConfigError, match="mean_pool"):
        method_spec("defualt", TrainingParams())


@pytest.mark.parametrize("name", METHODS)
def test_a_method_survives_storage_and_classifies(name, images):
    spec = spec_from_plain(asdict(METHODS[name]))
    assert spec == METHODS[name]
    model = build_model(spec, 5, 3).eval()
    ((_, batch),) = model.batches(images, 4)
    logits = model(batch)
    assert logits.shape == (4, 3)
    assert torch.isfinite(logits).all()


def test_the_paper_is_bilevel_with_its_own_numbers():
    for name, knowledge, draws, dropout in (("paper_a", True, 1, 0.2), ("paper_b", False, 5, 0.0)):
        spec = METHODS[name]
        assert (spec.levels, spec.alternation, spec.generator) == ("bilevel", "pass", "pair_mlp")
        assert (spec.jumping_knowledge, spec.draws, spec.settings.dropout) == (knowledge, draws, dropout)
        assert (spec.settings.learning_rate, spec.settings.generator_learning_rate) == (1e-4, 1e-3)
        assert spec.edge_penalty == 1e-5


def test_only_the_default_and_the_paper_have_two_levels():
    assert {name for name, spec in METHODS.items() if spec.levels == "bilevel"} == {"default", "paper_a", "paper_b"}


def test_methods_without_a_graph_have_no_limit_of_pairs():
    assert {name for name, spec in METHODS.items() if spec.dense_limit is None} == {
        "mean_pool",
        "attention_mil",
        "logistic",
    }
    assert METHODS["default"].dense_limit == 2048


def test_larger_images_need_few_neighbours_or_a_metric():
    sparse = {name for name, spec in METHODS.items() if spec.has_sparse_mode}
    assert sparse == set(METHODS) - {"paper_a", "paper_b"}
    for degree, has in ((0, False), (1, True), (MOST_NEIGHBOURS, True), (MOST_NEIGHBOURS + 1, False)):
        assert method_spec("cosine_graph", TrainingParams(target_degree=degree)).has_sparse_mode is has
