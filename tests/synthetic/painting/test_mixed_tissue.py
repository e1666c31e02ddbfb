import numpy as np
import pytest

from pipeline.synthetic.painting.mixed_tissue import paint_mixed_tissue
from pipeline.synthetic.painting.tissue import PaintedTissue


def paint(seed: int, width_px: int = 256, height_px: int = 192) -> PaintedTissue:
    return paint_mixed_tissue(width_px=width_px, height_px=height_px, mpp=0.5, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(4))
def test_nuclei_lie_where_the_table_says(seed: int) -> None:
    painted = paint(seed)
    assert painted.rgb.shape == (192, 256, 3)
    assert painted.labels.max() <= len(painted.nuclei)
    seen = np.unique(painted.labels)[1:]
    assert len(seen) > 10
    for label in seen:
        rows, cols = np.nonzero(painted.labels == label)
        row = painted.nuclei.iloc[label - 1]
        assert np.hypot(cols + 0.5 - row["x"], rows + 0.5 - row["y"]).max() < 0.62 * row["major"] + 1.5


def test_sizes_span_lymphocytes_and_epithelium() -> None:
    minor = np.concatenate([paint(seed).nuclei["minor"] for seed in range(6)]) / 2
    assert minor.min() < 4.5
    assert np.percentile(minor, 90) > 6


def test_same_seed_same_bytes() -> None:
    np.testing.assert_array_equal(paint(5).rgb, paint(5).rgb)
    assert not np.array_equal(paint(5).rgb, paint(6).rgb)
