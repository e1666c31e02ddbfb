import pytest

from pipeline.commands.train import method_names, tuned_params
from pipeline.errors import ConfigError
from pipeline.training.methods.presets import METHODS
from pipeline.training.params import TrainingParams


def test_methods_are_one_several_or_all():
    assert method_names("joint") == ("joint",)
    assert method_names("logistic, default,joint") == ("logistic", "default", "joint")
    assert method_names("all") == tuple(METHODS)


def test_each_fold_has_the_settings_of_its_own_file(tmp_path):
    (tmp_path / "fold_0.yaml").write_text("training: {epochs: 3}")
    (tmp_path / "fold_12.yaml").write_text("training: {dropout: 0.5}")
    for other in ("final.yaml", "fold_best.yaml", "fold_1.txt"):
        (tmp_path / other).write_text("no: configuration")
    assert tuned_params(tmp_path) == {0: TrainingParams(epochs=3), 12: TrainingParams(dropout=0.5)}


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "fold_3.yaml").write_text("training: {tempo: 3}")
    with pytest.raises(ConfigError, match=r"training\.tempo"):
        tuned_params(tmp_path)
