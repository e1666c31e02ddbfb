"""Files of ``torch.save`` read as numpy arrays, without torch and without running code in them.

The format is that of PyTorch 1.6 and later: a zip archive of a pickle, which names its
tensors' storages, and of one member for each storage, little-endian.
"""

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

STORAGES = {
    "HalfStorage": "<f2",
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "IntStorage": "<i4",
    "LongStorage": "<i8",
}


def read_archive(path: Path) -> Any:
    """What was saved, each tensor as an array.

    Raises
    ------
    zipfile.BadZipFile, KeyError
        If the archive is damaged.
    pickle.UnpicklingError
        If the pickle holds anything but tensors, numbers, texts and their collections.
    """
    with zipfile.ZipFile(path) as archive:
        pickled = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
        if pickled is None:
            raise pickle.UnpicklingError("the archive has no data.pkl")
        content = archive.read(pickled)
        _check_sizes(content)
        return _TensorUnpickler(io.BytesIO(content), archive, pickled.removesuffix("data.pkl")).load()


def _check_sizes(pickled: bytes) -> None:
    """Refuse a pickle that asks for more room than it can fill, such as one that numbers a value 2**31."""
    for opcode, argument, _ in pickletools.genops(pickled):
        if "PUT" in opcode.name and isinstance(argument, int) and argument > len(pickled):
            raise pickle.UnpicklingError(f"it numbers a value {argument}, and holds {len(pickled)} bytes")


class _TensorUnpickler(pickle.Unpickler):
    """Makes arrays and collections of a pickle of tensors and calls nothing else.

    Parameters
    ----------
    stream
        The pickle.
    archive, folder
        Where its storages are.
    """

    def __init__(self, stream: IO[bytes], archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(stream)
        self.archive, self.folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name of the pickle; one that is not listed is an ``UnpicklingError``."""
        if module == "torch" and name in STORAGES:
            return np.dtype(STORAGES[name])
        allowed: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): _parameter,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is neither a tensor nor a collection")
        return allowed[module, name]

    def persistent_load(self, pid: Any) -> Array:
        """Values of a storage, (n,)."""
        _, dtype, key, _, n_values = pid
        return np.frombuffer(self.archive.read(f"{self.folder}data/{key}"), dtype, n_values)


def _tensor(storage: Array, first: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> Array:
    window = np.lib.stride_tricks.as_strided
    reach = first + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    # The values as well: strides of 0 would make a large tensor of one of them.
    beyond = 0 not in shape and max(reach, math.prod(shape) - 1) >= storage.size
    if min((first, *strides)) < 0 or beyond:
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    return window(storage[first:], shape, [stride * storage.itemsize for stride in strides]).copy()


def _parameter(tensor: Array, *_: Any) -> Array:
    return tensor
