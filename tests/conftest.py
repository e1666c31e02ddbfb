import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pipeline.devices import device_name
from pipeline.errors import DeviceError

if TYPE_CHECKING:
    import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need a card are skipped where there is none; asked only if there are such tests."""
    for_a_card = [item for item in items if item.get_closest_marker("gpu")]
    if for_a_card and not _has_card():
        for item in for_a_card:
            item.add_marker(pytest.mark.skip(reason="no CUDA card here"))


def _has_card() -> bool:
    try:
        return device_name("cuda") == "cuda"
    except DeviceError:
        return False


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> "torch.device":
    """The processor, by default; with ``-m gpu`` the card: one body for both."""
    import torch

    return torch.device(request.param)


@pytest.fixture(autouse=True)
def _children_end_as_before() -> Iterator[None]:
    """A library's handler of ended children must not outlive its test: it would answer for children of later ones.

    Torch's loader with workers leaves one, and test processes were seen to die while a later test waited for a child.
    """
    before = signal.getsignal(signal.SIGCHLD)
    yield
    if signal.getsignal(signal.SIGCHLD) is not before:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL if before is None else before)
