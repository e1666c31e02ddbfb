import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _children_end_as_before() -> Iterator[None]:
    """A library's handler of ended children must not outlive its test: it would answer for children of later ones.

    Torch's loader with workers leaves one, and test processes were seen to die while a later test waited for a child.
    """
    before = signal.getsignal(signal.SIGCHLD)
    yield
    if signal.getsignal(signal.SIGCHLD) is not before:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL if before is None else before)
