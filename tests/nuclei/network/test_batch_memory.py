import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pipeline.nuclei.network.batch_memory import MOST_PIXELS, batch_memory
from pipeline.nuclei.network.device_engine import DeviceSegmenter
from pipeline.nuclei.network.weights import Weights
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain.stain_channels import StainScale
from pipeline.synthetic.painting.tissue import PaintedTissue
from tests.nuclei.random_weights import random_weights


class Held(TorchDispatchMode):
    """Counts the bytes of tensors that live at once."""

    def __init__(self) -> None:
        super().__init__()
        self.living: dict[int, int] = {}
        self.bytes = self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        self.most = max(self.most, self.bytes)
        return made

    def _count(self, storage: Any) -> None:
        key = storage._cdata
        if key not in self.living:
            self.living[key] = storage.nbytes()
            self.bytes += storage.nbytes()
            weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.bytes -= self.living.pop(key)


def held(weights: Weights, pictures: list[np.ndarray]) -> int:
    segmenter = DeviceSegmenter(weights, NucleiParams(), torch.device("cpu"))
    with torch.inference_mode(), Held() as counted:
        segmenter.segment(pictures, segmenter.network_mpp(), StainScale(0, 1))
    return counted.most


def test_the_estimate_is_what_is_held(shipped_weights: Weights, tissue: PaintedTissue) -> None:
    rgb = np.ascontiguousarray(tissue.rgb[:192, :256])
    for n_images in (1, 3):
        estimate = batch_memory(shipped_weights, 192 * 256).bytes_of(n_images)
        assert 0.75 * estimate < held(shipped_weights, [rgb] * n_images) < estimate


def test_with_style_an_image_adds_what_surrounds_the_pass(
    tissue: PaintedTissue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fields one by one, so that the pass is small beside two images of four."""
    for module in ("batch_memory", "field_of_view"):
        monkeypatch.setattr(f"pipeline.nuclei.network.{module}.FIELDS_PER_PASS", 1)
    weights = random_weights((2, 2, 2, 2, 2), style=True)
    rgb = np.tile(tissue.rgb, (3, 3, 1))[:520, :520].copy()
    one, two = (held(weights, [rgb] * n) for n in (1, 2))
    estimate = batch_memory(weights, 520 * 520)
    assert 0.6 * estimate.of_image < two - one < estimate.of_image
    assert two < estimate.bytes_of(2)


def test_images_that_fit(shipped_weights: Weights) -> None:
    memory = batch_memory(shipped_weights, 1120**2)
    assert [memory.images_in(n * memory.of_image + 5) for n in (0, 1, 7)] == [1, 1, 7]
    assert memory.images_in(2**40) == MOST_PIXELS // 1120**2 == 16
    assert batch_memory(shipped_weights, 10**9).images_in(2**40) == 1


@pytest.mark.gpu
def test_the_estimate_holds_on_a_card(shipped_weights: Weights, tissue: PaintedTissue) -> None:
    """But for cuDNN's workspaces, for which half of the free memory stays free."""
    segmenter = DeviceSegmenter(shipped_weights, NucleiParams(), torch.device("cuda"))
    pictures = [np.ascontiguousarray(tissue.rgb[:, :256])] * 16
    segmenter.segment(pictures, 0.5, StainScale(0, 1))
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    segmenter.segment(pictures, 0.5, StainScale(0, 1))
    assert torch.cuda.max_memory_allocated() - before < 2 * batch_memory(shipped_weights, 256 * 256).bytes_of(16)
