"""A stand-in for CUDA graphs on the processor: kernels are recorded with their memory, and run again without Python."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class _Recording(TorchDispatchMode):
    """Keeps every kernel with the tensors that it reads and writes; views stay what they are."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view and not func.name().startswith("profiler::"):
            self.kernels.append((func, args, kwargs or {}, result))
        return result

    def replay(self) -> None:
        """Run the kernels again, in their order, on the memory that they had."""
        with torch.no_grad():
            for func, args, kwargs, results in self.kernels:
                again = func(*args, **kwargs)
                for old, new in zip(_tensors(results), _tensors(again), strict=True):
                    if old is not new:
                        old.copy_(new)


def _tensors(result: Any) -> list[torch.Tensor]:
    listed = result if isinstance(result, list | tuple) else [result]
    return [part for part in listed if isinstance(part, torch.Tensor)]


class ReplayedKernels:
    """A ``Recorder`` on the processor.

    Recording cannot be had without running there, so that its run stands for the first launch.

    Attributes
    ----------
    warm_ups, records, launches
        How often each was asked for.
    """

    def __init__(self) -> None:
        self.warm_ups = self.records = self.launches = 0

    def warm_up(self, step: Any) -> None:
        self.warm_ups += 1
        step()

    def record(self, step: Any) -> Any:
        self.records += 1
        with _Recording() as recording:
            step()
        first = [True]

        def launch() -> None:
            self.launches += 1
            if not first:
                recording.replay()
            first.clear()

        return launch


class FailingRecorder(ReplayedKernels):
    """Records nothing, as a card does of a step that waits."""

    def record(self, step: Any) -> Any:
        self.records += 1
        raise RuntimeError("operation not permitted when stream is capturing")
