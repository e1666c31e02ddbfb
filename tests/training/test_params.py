from dataclasses import fields

import pytest

from pipeline.errors import ConfigError
from pipeline.training.params import FittingParams, ReadingParams, Settings, SplitParams, TrainingParams
from pipeline.tunables import Number, rule_of, tunables_of


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"folds": 1}, "splits.folds"),
        ({"structure_share": 0.0}, "splits.structure_share"),
        ({"select_share": -0.1}, "splits.select_share"),
        ({"structure_share": 0.6, "select_share": 0.4}, "structure_share"),
    ],
)
def test_splits_out_of_bounds_name_their_key(values, key):
    with pytest.raises(ConfigError, match=key):
        SplitParams(**values)


NUMBERS = [key.name for key in tunables_of(Settings) if isinstance(rule_of(key), Number)]


@pytest.mark.parametrize("key", NUMBERS)
def test_training_numbers_below_their_bound_are_refused(key):
    with pytest.raises(ConfigError, match=f"training.{key}"):
        TrainingParams(**{key: -1})


def test_settings_hold_every_number_of_the_parameters():
    own, shared, reading = ({f.name for f in fields(kind)} for kind in (Settings, FittingParams, ReadingParams))
    assert {f.name for f in fields(TrainingParams)} == own | shared | reading
    assert len(own | shared | reading) == len(own) + len(shared) + len(reading)


def test_what_all_methods_share_is_passed_on():
    params = TrainingParams(upper_gradient="neumann", neumann_terms=2, temperature_scaling=True)
    assert params.fitting == FittingParams(upper_gradient="neumann", neumann_terms=2, temperature_scaling=True)


def test_what_is_held_in_memory_is_passed_on_and_recorded_nowhere():
    params = TrainingParams(memory_gib=0.5, reading_threads=3)
    assert params.reading == ReadingParams(memory_gib=0.5, reading_threads=3)
    assert params.reading.most_held_bytes == 2**29
    assert (params.given, params.fitting) == (TrainingParams().given, FittingParams())
    section = {"memory_gib": 2.0, "reading_threads": 0, "card_share": 0.25, "epochs": 3}
    assert ReadingParams.of(section) == ReadingParams(2.0, 0, 0.25)


@pytest.mark.parametrize("values", [{"upper_gradient": "second_order"}, {"precision": "float16"}])
def test_unknown_words_are_refused(values):
    with pytest.raises(ConfigError, match=r"training.\w+: expected one of"):
        TrainingParams(**values)


@pytest.mark.parametrize("names", ["uni", ["uni", "uni"], [""], [1]])
def test_embeddings_are_a_list_of_names(names):
    with pytest.raises(ConfigError, match=r"training.embeddings: expected a list without repeats"):
        TrainingParams(embeddings=names)


def test_coarse_numbers_and_gradients_through_the_classifier_exclude_each_other():
    with pytest.raises(ConfigError, match="too coarse"):
        TrainingParams(precision="bfloat16", upper_gradient="unrolled")
