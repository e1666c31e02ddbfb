from dataclasses import asdict, replace

import pytest
import torch

from pipeline.errors import ConfigError
from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.methods.presets import (
    FAMILIES,
    LITERATURE_SETTINGS,
    METHODS,
    MOST_NEIGHBOURS,
    PAPER_SETTINGS,
    method_spec,
    pooled_spec,
    spec_from_plain,
)
from pipeline.training.params import Settings, TrainingParams

PARTS = {
    "default": ("metric", "relational"),
    "joint": ("metric", "relational"),
    "paper_a": ("pair_mlp", "paper_gcn"),
    "paper_b": ("pair_mlp", "paper_gcn"),
    "cosine_graph": ("cosine", "relational"),
    "spatial_graph": ("spatial", "relational"),
    "mean_pool": ("none", "mean_pool"),
    "attention_mil": ("none", "attention_mil"),
    "logistic": ("none", "logistic"),
    "wikg": ("head_tail", "knowledge_aware"),
    "abmil": ("none", "abmil"),
    "clam_sb": ("none", "clam_sb"),
    "dsmil": ("none", "dsmil"),
    "transmil": ("none", "transmil"),
    "gtp": ("spatial", "gtp"),
    "patch_gcn": ("spatial", "patch_gcn"),
}
"""Patch graph and classifier of each method, as the first table of docs/methods.md has them."""
LITERATURE = FAMILIES["literature"]


def test_each_method_is_made_of_its_graph_and_its_classifier():
    assert {name: (spec.generator, spec.classifier) for name, spec in METHODS.items()} == PARTS
    assert all(spec.name == name for name, spec in METHODS.items())


def test_a_comparison_shows_the_graph_and_not_the_budget():
    ours = [name for name in METHODS if not name.startswith("paper") and name not in LITERATURE]
    for name in ours:
        spec = METHODS[name]
        assert spec.settings == Settings()
        assert (spec.jumping_knowledge, spec.draws, spec.edge_penalty, spec.alternation) == (False, 1, 0.0, "step")


def test_rivals_have_the_settings_of_the_literature_and_our_budget():
    ours = Settings()
    for name in LITERATURE:
        settings = METHODS[name].settings
        assert replace(settings, target_degree=ours.target_degree) == LITERATURE_SETTINGS
        assert (settings.epochs, settings.patience, settings.batch_size) == (ours.epochs, ours.patience, 16)
        assert METHODS[name].levels == "one"
    assert METHODS["wikg"].settings.target_degree == 6


def test_given_values_beat_the_preset_and_the_rest_stays():
    spec = method_spec("paper_b", TrainingParams(epochs=7, dropout=0.5))
    assert spec == replace(METHODS["paper_b"], settings=replace(PAPER_SETTINGS, epochs=7, dropout=0.5))
    assert method_spec("joint", TrainingParams(hidden=8)).settings == Settings(hidden=8)
    for name, preset in METHODS.items():
        assert method_spec(name, TrainingParams()) == preset


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


def test_the_paper_learns_without_our_additions():
    """Published: one image a step, 200 iterations and the last iterate, no decay, every pair kept with its weight."""
    published = {
        "epochs": 200,
        "patience": 0,
        "batch_size": 1,
        "weight_decay": 0.0,
        "target_degree": 0,
        "dense_limit": 4096,
        "pretraining_steps": 0,
        "gradient_clip": 1.0,
        "outlier_clip_sd": 0.0,
        "class_weights": False,
    }
    for name in ("paper_a", "paper_b"):
        settings = asdict(METHODS[name].settings)
        assert {key: settings[key] for key in published} == published


def test_a_stored_method_without_settings_is_refused():
    with pytest.raises(ConfigError, match="settings of a stored method: expected a mapping, found 3"):
        spec_from_plain(asdict(METHODS["joint"]) | {"settings": 3})


def test_a_method_says_what_it_needs():
    assert {name for name, spec in METHODS.items() if spec.package} == {"abmil", "clam_sb", "dsmil", "transmil", "gtp"}
    assert {name for name, spec in METHODS.items() if spec.needs_positions} == {"spatial_graph", "gtp", "patch_gcn"}


def test_only_the_default_and_the_paper_have_two_levels():
    assert {name for name, spec in METHODS.items() if spec.levels == "bilevel"} == {"default", "paper_a", "paper_b"}


def test_methods_that_hold_no_pairs_have_no_limit_of_them():
    assert {name for name, spec in METHODS.items() if spec.dense_limit is None} == {
        "mean_pool",
        "attention_mil",
        "logistic",
        "wikg",
        "abmil",
        "clam_sb",
        "dsmil",
        "transmil",
    }


def test_pairs_are_scored_as_long_as_that_costs_less():
    """A search costs 210 pairs and each of 16 + 8 candidates 8; a given limit beats it."""
    assert METHODS["default"].dense_limit == METHODS["spatial_graph"].dense_limit == 402
    few = TrainingParams(similar_candidates=8, spatial_candidates=0)
    assert method_spec("joint", few).dense_limit == 274
    assert method_spec("joint", TrainingParams(dense_limit=3000)).dense_limit == 3000
    for name in ("joint", "cosine_graph"):
        assert method_spec(name, TrainingParams(target_degree=0)).dense_limit == 2048
    assert METHODS["gtp"].dense_limit == 2048
    assert METHODS["paper_a"].dense_limit == 4096


def test_larger_images_need_few_neighbours_or_a_metric():
    sparse = {name for name, spec in METHODS.items() if spec.has_sparse_mode}
    assert sparse == set(METHODS) - {"paper_a", "paper_b", "gtp"}
    for degree, has in ((0, False), (1, True), (MOST_NEIGHBOURS, True), (MOST_NEIGHBOURS + 1, False)):
        assert method_spec("cosine_graph", TrainingParams(target_degree=degree)).has_sparse_mode is has


@pytest.mark.parametrize("target_degree", [0, 5, MOST_NEIGHBOURS + 1])
def test_networks_beside_a_learned_graph_take_images_of_any_size_however_many_neighbours_that_keeps(target_degree):
    pooled = pooled_spec(method_spec("default", TrainingParams(target_degree=target_degree, hidden=7)))
    assert pooled.has_sparse_mode
    assert pooled.settings.target_degree == (target_degree if target_degree == 5 else min(target_degree or 8, 1024))
    assert pooled.settings.hidden == 7
    assert not pooled.beside_pooled
