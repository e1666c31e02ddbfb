from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from cellpose.resnet_torch import CPnet

from pipeline.errors import WeightsError
from pipeline.nuclei.learning.cellpose_cpnet import load_network
from pipeline.nuclei.network.weights import Weights, load_weights
from pipeline.nuclei.network.weights_files import resolve_weights
from pipeline.nuclei.params import SHIPPED_WEIGHTS
from pipeline.reachability import PACKAGE_ROOT


def test_shipped_weights_are_small_and_say_what_they_are() -> None:
    path = resolve_weights(SHIPPED_WEIGHTS)
    weights = load_weights(path)
    assert path.stat().st_size <= 8e6
    assert weights.name == SHIPPED_WEIGHTS
    assert weights.licence == "BSD-3-Clause"
    assert weights.training["params"]["seed"] == 0
    load_network(weights, torch.device("cpu"))


def test_who_made_the_images_of_the_shipped_weights_is_named_wherever_they_go() -> None:
    path = resolve_weights(SHIPPED_WEIGHTS)
    weights = load_weights(path)
    card = (PACKAGE_ROOT.parent / "docs/models/he-nuclei-compact.md").read_text(encoding="utf-8")
    notices = (path.parent / "THIRD_PARTY_NOTICES.txt").read_text(encoding="utf-8")
    assert weights.digest in card
    assert {source["licence"] for source in weights.training["sources"]} == {"CC0-1.0", "CC-BY-4.0"}
    (owed,) = [source for source in weights.training["sources"] if source["licence"] == "CC-BY-4.0"]
    for text in (owed["attribution"], card, notices):
        for name in ("Naylor", "Laé", "Reyal", "Walter", "zenodo.org/record/2579118"):
            assert name in text
    assert "creativecommons.org/licenses/by/4.0" in notices


@pytest.mark.parametrize("content", [b"", b"not a network", b"PK\x03\x04 half a zip"])
def test_corrupt_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"bad\.pt: expected"):
        load_weights(path)


def test_truncated_file(tiny_weights_path: Path) -> None:
    tiny_weights_path.write_bytes(tiny_weights_path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match="cannot be read"):
        load_weights(tiny_weights_path)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"format": Path("/")}, tmp_path / "evil.pt")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_weights(tmp_path / "evil.pt")


def test_another_architecture(tmp_path: Path) -> None:
    torch.save({"W2": torch.zeros(1), "encoder.pos_embed": torch.zeros(2)}, tmp_path / "cpsam")
    with pytest.raises(WeightsError, match="another architecture"):
        load_weights(tmp_path / "cpsam")


def test_tensors_that_do_not_fit(tiny_weights: Weights) -> None:
    wrong = replace(tiny_weights, channels=(2, 8, 8, 8, 8))
    with pytest.raises(WeightsError, match="tiny: the tensors do not fit"):
        load_network(wrong, torch.device("cpu"))


def test_cellpose_file(tmp_path: Path) -> None:
    network = CPnet([2, 4, 8, 16], 3, 3, diam_mean=30.0)
    torch.save(network.state_dict(), tmp_path / "cyto")
    weights = load_weights(tmp_path / "cyto")
    assert (weights.channels, weights.input, weights.diameter_px, weights.style) == (
        (2, 4, 8, 16),
        "haematoxylin",
        30.0,
        True,
    )
    load_network(weights, torch.device("cpu"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state_dict": 3}, r"damaged \(.*get the file again"),
        ({"state_dict": {"a": 3}}, r"damaged \("),
        ({"channels": 3}, r"damaged \("),
        ({"input": "haematoxylin", "state_dict": {"a": torch.tensor([1.0, float("nan")])}}, "a is not finite"),
    ],
)
def test_what_stands_where_tensors_belong_is_damage(tiny_weights_path: Path, changes: Any, words: str) -> None:
    torch.save(torch.load(tiny_weights_path, weights_only=True) | changes, tiny_weights_path)
    with pytest.raises(WeightsError, match=rf"tiny\.pt: .*{words}"):
        load_weights(tiny_weights_path)
