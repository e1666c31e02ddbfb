from pathlib import Path

import numpy as np

from pipeline.nuclei.learning.save_weights import save_weights
from pipeline.nuclei.network.weights import Weights, load_weights


def test_round_trip(tiny_weights: Weights, tmp_path: Path) -> None:
    save_weights(tmp_path / "w.pt", tiny_weights)
    back = load_weights(tmp_path / "w.pt")
    assert (back.channels, back.input, back.diameter_px, back.style) == (
        (2, 4, 8, 8, 8),
        "haematoxylin_luminance",
        16.0,
        False,
    )
    assert all(np.array_equal(back.state[name], tensor) for name, tensor in tiny_weights.state.items())


def test_half_precision_is_read_as_single(tiny_weights: Weights, tmp_path: Path) -> None:
    save_weights(tmp_path / "w.pt", tiny_weights, half=True)
    back = load_weights(tmp_path / "w.pt")
    name = "output.2.weight"
    assert back.state[name].dtype == np.float32
    assert np.allclose(back.state[name], tiny_weights.state[name], rtol=1e-3, atol=1e-6)


def test_what_is_counted_stays_whole(tiny_weights: Weights, tmp_path: Path) -> None:
    name = next(name for name in tiny_weights.state if name.endswith("num_batches_tracked"))
    for half in (False, True):
        save_weights(tmp_path / "w.pt", tiny_weights, half=half)
        assert load_weights(tmp_path / "w.pt").state[name].dtype == np.int64


def test_licence_and_training_are_kept_and_the_name_is_the_file_s(tiny_weights: Weights, tmp_path: Path) -> None:
    save_weights(tmp_path / "mine.pt", tiny_weights)
    back = load_weights(tmp_path / "mine.pt")
    assert (back.name, back.licence, dict(back.training)) == ("mine", "none", {})
    assert len(back.digest) == 16
