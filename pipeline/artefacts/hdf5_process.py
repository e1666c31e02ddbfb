"""The process that reads HDF5 files of others, run as a program by ``pipeline.artefacts.hdf5_files``.

libhdf5 believes what a file says of itself: a few flipped bits make it loop without end, ask for gigabytes or crash.
So each file is read by a fork of this process, which has the library loaded, and what happens there ends with the fork.
The socket to the job carries a JSON message in, one out, and with it the values, in anonymous memory that is handed
over, not copied.

    request   {"path": str, "datasets": {name: dtype or null}, "seconds": float, "most_bytes": int}
    reply     {"arrays": {name: [dtype, shape, first byte]}, "attributes": {name: {...}}, "bytes": int}
              or {"fault": str}, or {"died": exit code, or less a signal}

Datasets that the file lacks are left out.  ``attributes`` has those of each dataset, and of the file under "".
"""

import contextlib
import json
import math
import mmap
import os
import resource
import signal
import socket
import sys
from typing import Any

WORKING_BYTES = 512 * 2**20
"""Memory beyond what is read: libhdf5's own and its decoded chunks.  Ours."""

MESSAGE_BYTES = 1 << 17
"""Longest message; attributes of more are none of a file of tiles."""

MOST_ITEMS = 16
"""Attributes with more values are told by their shape."""


class UnusableError(Exception):
    """The file is not what it must be, in words that follow its name."""


def serve(connection: socket.socket) -> None:
    """Answer requests until the other end closes."""
    # Imported once for all files.
    import h5py  # noqa: F401

    while message := connection.recv(MESSAGE_BYTES):
        child = os.fork()
        if child == 0:
            _answer(connection, json.loads(message))
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if status:
            connection.send(_message({"died": os.waitstatus_to_exitcode(status)}))


def _answer(connection: socket.socket, request: dict[str, Any]) -> None:
    with contextlib.ExitStack() as stack:
        handed = []
        try:
            _limit(request["seconds"], WORKING_BYTES)
            reply, memory = _read(request, stack)
            answer, handed = _message(reply), [] if memory is None else [memory]
        except UnusableError as fault:
            answer = _message({"fault": str(fault)})
        # Whatever h5py raises while it parses is a fault of the file; the types it raises are no contract of its.
        except Exception as error:
            answer = _message({"fault": f"it cannot be read ({type(error).__name__}: {str(error)[:300]})"})
        # Nothing may end this process between its answer and its end.
        signal.setitimer(signal.ITIMER_PROF, 0)
        socket.send_fds(connection, [answer], handed)


def _message(reply: dict[str, Any]) -> bytes:
    message = json.dumps(reply).encode()
    if len(message) > MESSAGE_BYTES:
        raise UnusableError("it has more attributes than a file of tiles can have")
    return message


def _limit(seconds: float, more_bytes: int) -> None:
    """Let this process have ``seconds`` of processor time and ``more_bytes`` beyond what it holds."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123
        most = int(statm.read().split()[0]) * mmap.PAGESIZE + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _read(request: dict[str, Any], stack: contextlib.ExitStack) -> tuple[dict[str, Any], int | None]:
    import h5py

    with h5py.File(request["path"], "r") as file:
        datasets = {name: _dataset(file, name) for name in request["datasets"] if name in file}
        attributes = {name: _attributes(item) for name, item in {"": file, **datasets}.items()}
        layout, n_bytes = _layout(datasets, request)
        reply = {"arrays": layout, "attributes": attributes, "bytes": n_bytes}
        if not n_bytes:
            return reply, None
        # The values, and what decoding takes of a file whose chunks are as large as its datasets.
        _limit(request["seconds"], WORKING_BYTES + 3 * n_bytes)
        memory = os.memfd_create("hdf5")
        stack.callback(os.close, memory)
        os.ftruncate(memory, n_bytes)
        _fill(datasets, layout, mmap.mmap(memory, n_bytes))
        return reply, memory


def _dataset(file: Any, name: str) -> Any:
    """A dataset whose values all lie in this file, as numbers."""
    import h5py

    if isinstance(file.get(name, getlink=True), h5py.ExternalLink):
        raise UnusableError(f"{name!r} lies in another file; copy it into one file (h5repack)")
    item = file[name]
    if not isinstance(item, h5py.Dataset):
        raise UnusableError(f"expected a dataset {name!r}, found a {type(item).__name__.lower()}")
    if item.shape is None:
        raise UnusableError(f"dataset {name!r} has no values")
    if item.dtype.kind not in "iuf":
        raise UnusableError(f"expected numbers in {name!r}, found values of type {item.dtype}")
    if item.is_virtual or item.external:
        raise UnusableError(f"the values of {name!r} lie in other files; copy them into one file (h5repack)")
    if item.size and not _is_written(item):
        raise UnusableError(f"values of {name!r} were never written (the writer was stopped, or the file is cut)")
    return item


def _is_written(item: Any) -> bool:
    """Whether every value is stored; libhdf5 reads others as zeros."""
    if item.chunks is None:
        return bool(item.id.get_storage_size())
    chunks = math.prod(-(-size // chunk) for size, chunk in zip(item.shape, item.chunks, strict=True))
    return bool(item.id.get_num_chunks() == chunks)


def _layout(datasets: dict[str, Any], request: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Type, shape and first byte of each array, and bytes of all."""
    import numpy as np

    layout, end = {}, 0
    for name, item in datasets.items():
        dtype = np.dtype(request["datasets"][name] or item.dtype.newbyteorder("="))
        layout[name] = [dtype.str, item.shape, end]
        # The next array begins at a multiple of 64 bytes.
        end += -(-math.prod(item.shape) * dtype.itemsize // 64) * 64
    if end > request["most_bytes"]:
        raise UnusableError(f"it says that it holds {end} bytes of values, more than can be in a file of its size")
    return layout, end


def _fill(datasets: dict[str, Any], layout: dict[str, Any], memory: mmap.mmap) -> None:
    import numpy as np

    for name, (dtype, shape, first) in layout.items():
        if datasets[name].size:
            datasets[name].read_direct(np.ndarray(shape, dtype, memory, first))


def _attributes(item: Any) -> dict[str, Any]:
    # h5py hands names that are no UTF-8 as bytes.
    return {str(_plain(name)): _plain(item.attrs[name]) for name in item.attrs}


def _plain(value: Any) -> Any:
    """An attribute as JSON holds it: numbers, text, None, a list of them, or words for anything else."""
    import h5py
    import numpy as np

    if isinstance(value, h5py.Empty):
        return None
    value = value.item() if isinstance(value, np.generic | np.ndarray) and value.size == 1 else value
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.ravel()] if value.size <= MOST_ITEMS else f"an array of {value.shape}"
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, bool | int | float | str):
        return value[:1000] if isinstance(value, str) else value
    return None if value is None else f"a {type(value).__name__}"


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
