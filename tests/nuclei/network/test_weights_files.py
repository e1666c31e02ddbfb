from pathlib import Path

import pytest

from pipeline.errors import WeightsError
from pipeline.nuclei.network.weights_files import resolve_weights, weights_of
from pipeline.nuclei.params import SHIPPED_WEIGHTS, NucleiParams


def test_the_default_asks_for_the_shipped_file_and_the_watershed_for_none() -> None:
    assert weights_of(NucleiParams()) == resolve_weights(SHIPPED_WEIGHTS)
    assert weights_of(NucleiParams(segmenter="watershed", weights="nowhere")) is None


def test_missing_path_is_an_error_that_says_where_it_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELLPOSE_LOCAL_MODELS_PATH", raising=False)
    with pytest.raises(WeightsError, match=r"nowhere/cyto3.*CELLPOSE_LOCAL_MODELS_PATH is not set"):
        resolve_weights("nowhere/cyto3")
    with pytest.raises(WeightsError, match=r"no other model is used instead.*cellpose\.org/models"):
        resolve_weights("nowhere/cyto3")


def test_name_in_models_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"x")
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    assert resolve_weights("mine") == tmp_path / "mine"
    with pytest.raises(WeightsError, match=str(tmp_path / "other")):
        resolve_weights("other")
