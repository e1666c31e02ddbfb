import json
import math
from dataclasses import asdict

import pytest

from pipeline.errors import ConfigError
from pipeline.tiling.params import TilingParams
from pipeline.tunables import Number, rule_of, tunables_of

NUMBERS = {key.name: rule for key in tunables_of(TilingParams) if isinstance(rule := rule_of(key), Number)}


def test_defaults_are_the_papers_and_plain() -> None:
    params = TilingParams()
    assert params.min_tissue_fraction == 0.15
    assert params.tile_um == 256.0
    assert json.loads(json.dumps(asdict(params))) == asdict(params)


@pytest.mark.parametrize("key", sorted(NUMBERS))
def test_bounds_name_key_and_value(key: str) -> None:
    rule = NUMBERS[key]
    for value in (rule.low - 1, rule.high + 1, math.nan):
        with pytest.raises(ConfigError, match=rf"tiling\.{key}: expected .*found"):
            TilingParams(**{key: value})


def test_contradictions() -> None:
    with pytest.raises(ConfigError, match="edge: expected one of skip, pad, shift, found 'cut'"):
        TilingParams(edge="cut")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="chroma_low"):
        TilingParams(chroma_low=30, chroma_high=20)
    with pytest.raises(ConfigError, match=r"slide_mpp_low: expected less than slide_mpp_high \(0\.2\), found 0\.2"):
        TilingParams(slide_mpp_low=0.2, slide_mpp_high=0.2)
    with pytest.raises(ConfigError, match=r"overlap_px: expected less than tile_px \(128\), found 128"):
        TilingParams(tile_px=128, overlap_px=128)


@pytest.mark.parametrize("key", ["tile_px", "overlap_px", "max_tiles", "seed", "overview_px"])
def test_counts_are_whole(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: expected a whole number"):
        TilingParams(**{key: 300.5})
