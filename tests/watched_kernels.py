"""What of torch's kernels a card would make its caller wait for, or would sort for: counted on the processor."""

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

WAITS = frozenset(
    {
        "aten::nonzero",
        "aten::nonzero_numpy",
        "aten::_local_scalar_dense",
        "aten::is_nonzero",
        "aten::masked_select",
        "aten::repeat_interleave.Tensor",
        "aten::bincount",
        "aten::_unique2",
        "aten::unique_dim",
        "aten::unique_consecutive",
        "aten::equal",
        "aten::linalg_eigh",
    }
)
"""The size of the result, or a number for the host, depends on values: the host waits until the card has them."""

SORTS = frozenset({"aten::scatter_add", "aten::scatter_add_", "aten::index_add", "aten::embedding_dense_backward"})
"""Sums into places by index, for which a card sorts where results must be the same bits."""


NO_KERNEL = ("profiler::", "aten::_unsafe_view", "aten::empty")
"""Calls that are no views and compute nothing."""


class Watched(TorchDispatchMode):
    """Counts kernels by name while it is entered; gradients are counted too.

    Attributes
    ----------
    waits, sorts
        Those that a card would wait or sort for.
    launches
        All that compute something; views, memory asked for and marks of the profiler do not.
    copies
        Those that take values from one device to another.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.sorts: Counter[str] = Counter()
        self.copies: Counter[str] = Counter()
        self.launches = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name()
        kwargs = kwargs or {}
        if (name in WAITS and kwargs.get("output_size") is None) or _by_mask(func, args):
            self.waits[name] += 1
        elif name in SORTS or _accumulates(func, args, kwargs):
            self.sorts[name] += 1
        self.launches += not (func.is_view or name.startswith(NO_KERNEL))
        result = func(*args, **kwargs)
        self.copies[name] += len(_devices([*args, *kwargs.values(), result])) > 1
        return result


def _devices(values: Any) -> set[str]:
    """Kinds of devices of tensors; numbers that torch wraps are on none."""
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    listed = [value for values in values if isinstance(values, list | tuple) for value in values]
    tensors += [value for value in listed if isinstance(value, torch.Tensor)]
    return {tensor.device.type for tensor in tensors if tensor.dim()}


def _by_mask(func: Any, args: Any) -> bool:
    """Whether values are picked or put by a mask."""
    if not func.name().startswith(("aten::index.", "aten::index_put", "aten::_index_put_impl")):
        return False
    indices = args[1] if len(args) > 1 and isinstance(args[1], list | tuple) else ()
    return any(isinstance(index, torch.Tensor) and index.dtype == torch.bool for index in indices)


def _accumulates(func: Any, args: Any, kwargs: Any) -> bool:
    """Whether values are added in places by index."""
    if not func.name().startswith(("aten::index_put", "aten::_index_put_impl")):
        return False
    return bool(kwargs.get("accumulate", args[3] if len(args) > 3 else False))
