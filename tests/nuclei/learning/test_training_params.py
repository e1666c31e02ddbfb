import pytest

from pipeline.errors import ConfigError
from pipeline.nuclei.learning.training_params import NucleiTrainingParams


def test_crop_must_fit_the_stride() -> None:
    with pytest.raises(ConfigError, match="crop_px: expected a multiple of 8, found 100"):
        NucleiTrainingParams(crop_px=100)


def test_channels_double_by_level() -> None:
    assert NucleiTrainingParams(base_channels=16).channels == (2, 16, 32, 64, 128)


def test_shares_of_crops_fit_into_one() -> None:
    NucleiTrainingParams(synthetic_fraction=0.5, collage_fraction=0.5, blank_fraction=0.0)
    with pytest.raises(ConfigError, match=r"collage_fraction.*expected a sum up to 1, found 1\.1"):
        NucleiTrainingParams(synthetic_fraction=0.6, collage_fraction=0.5, blank_fraction=0.0)
