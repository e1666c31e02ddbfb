from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.nuclei.params import NucleiParams, cores_of_job


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("weights", ""),
        ("nucleus_diameter_um", 0.0),
        ("flow_threshold", -1.0),
        ("cellprob_threshold", 9.0),
        ("min_area_um2", -1.0),
        ("halo_um", 1e4),
        ("batch_size", 0),
        ("stain_tiles", 0),
        ("stain_normalisation", "vahadane"),
        ("stain_high_percentile", 101.0),
        ("block_px", 8),
        ("nucleus_diameter_um", float("nan")),
    ],
)
def test_out_of_bounds_names_key_and_value(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"nuclei\.{key}: expected .*found"):
        NucleiParams(**{key: value})


def test_percentiles_must_be_in_order() -> None:
    with pytest.raises(ConfigError, match=r"stain_low_percentile: expected less than .*60"):
        NucleiParams(stain_low_percentile=70, stain_high_percentile=60)


@pytest.mark.parametrize(("threads", "card", "cores"), [(None, False, 1), (None, True, 6), (3, False, 3), (3, True, 3)])
def test_cores_of_a_job(threads: int | None, card: bool, cores: int) -> None:
    assert cores_of_job(threads, card=card) == cores
