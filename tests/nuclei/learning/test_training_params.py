import pytest

from pipeline.errors import ConfigError
from pipeline.nuclei.learning.training_params import NucleiTrainingParams


def test_out_of_bounds_names_the_key_and_the_value() -> None:
    with pytest.raises(ConfigError, match=r"collage_px: expected a whole number in .*found 63"):
        NucleiTrainingParams(collage_px=63)


def test_the_rise_of_the_learning_rate_ends_within_the_training() -> None:
    NucleiTrainingParams(steps=100, warmup_steps=100)
    with pytest.raises(ConfigError, match=r"warmup_steps: expected at most steps \(100\), found 101"):
        NucleiTrainingParams(steps=100, warmup_steps=101)


def test_crop_must_fit_the_stride() -> None:
    with pytest.raises(ConfigError, match="crop_px: expected a multiple of 8, found 100"):
        NucleiTrainingParams(crop_px=100)


def test_channels_double_by_level() -> None:
    assert NucleiTrainingParams(base_channels=16).channels == (2, 16, 32, 64, 128)


def test_shares_of_crops_fit_into_one() -> None:
    NucleiTrainingParams(synthetic_fraction=0.5, collage_fraction=0.5, blank_fraction=0.0)
    with pytest.raises(ConfigError, match=r"collage_fraction.*expected a sum up to 1, found 1\.1"):
        NucleiTrainingParams(synthetic_fraction=0.6, collage_fraction=0.5, blank_fraction=0.0)
