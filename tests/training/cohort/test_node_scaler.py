import numpy as np

from pipeline.training.cohort.node_scaler import NodeScaler

SCALER = NodeScaler(
    median=np.array([1.0, 7.0, 0.0]),
    mean=np.array([2.0, 7.0, 0.0]),
    scale=np.array([2.0, np.inf, 1.0]),
    indicator=np.array([True, False, False]),
    clip_sd=3.0,
)


def test_features_are_standardised_clipped_and_marked() -> None:
    x = np.array([[4, 9, 2], [np.nan, np.nan, -99]], np.float32)
    standard = SCALER.apply(x)
    assert standard.dtype == np.float32
    assert standard.tolist() == [[1, 0, 2, 0], [-0.5, 0, -3, 1]]
    assert SCALER.n_outputs == standard.shape[1]


def test_an_image_without_nodes_keeps_its_columns() -> None:
    assert SCALER.apply(np.empty((0, 3), np.float32)).shape == (0, 4)
