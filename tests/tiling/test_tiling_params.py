import json
import math
from dataclasses import asdict

import pytest

from pipeline.errors import ConfigError
from pipeline.tiling.params import BOUNDS, TilingParams


def test_defaults_are_the_papers_and_plain() -> None:
    params = TilingParams()
    assert params.min_tissue_fraction == 0.15
    assert params.tile_um == 256.0
    assert json.loads(json.dumps(asdict(params))) == asdict(params)


@pytest.mark.parametrize("key", sorted(BOUNDS))
def test_bounds_name_key_and_value(key: str) -> None:
    low, high = BOUNDS[key]
    for value in (low - 1, high + 1, math.nan):
        with pytest.raises(ConfigError, match=rf"tiling\.{key}: expected .*found"):
            TilingParams(**{key: value})


def test_contradictions() -> None:
    with pytest.raises(ConfigError, match="edge: expected one of skip, pad, found 'cut'"):
        TilingParams(edge="cut")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="chroma_low"):
        TilingParams(chroma_low=30, chroma_high=20)
