import numpy as np
import pytest

from pipeline.artefacts.features import FeatureStore


@pytest.fixture
def store():
    features = np.arange(12, dtype=np.float32).reshape(4, 3)
    features[1, 2] = np.nan
    return FeatureStore(
        slide_id="s1",
        features=features,
        feature_names=("a", "b", "c"),
        coords=np.array([[0, 0], [10, 0], [0, 10], [10, 10]]),
        tile_id=np.array([0, 1, 4, 5]),
        mpp=0.5,
        tile_px=512,
        tile_width_l0=1012.66,
        valid=~np.isnan(features),
        embeddings={"uni": np.ones((4, 2), np.float32)},
        dropped={"fewer than 65 nuclei": 2},
        params={"tiling": {"tile_px": 512}},
        source="abc",
    )
