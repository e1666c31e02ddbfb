"""HDF5 files that other tools made, each read in a process of its own with limits of time and memory.

A damaged file makes libhdf5 crash, loop or fill the memory; here that is an error that names the file.
"""

import atexit
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.artefacts import hdf5_process
from pipeline.errors import ImportedFileError

LEAST_BYTES = 64 * 2**20
"""Values that any file may hold, however small: places of millions of tiles compress to next to nothing."""

MOST_EXPANSION = 128
"""Values may take this many times the bytes of their file; features hardly compress.  Ours."""

PROCESSOR_SECONDS = 0.5
"""Processor time that any file may take; opening one takes a hundredth of it."""

PROCESSOR_BYTES_PER_SECOND = 5 * 2**20
"""Further processor time by size; decoding is a hundred times faster."""

WALL_SECONDS = 60.0
"""Time that any file may take, for stores that answer slowly."""

WALL_BYTES_PER_SECOND = 2**20
"""Further time by size."""


@dataclass(frozen=True)
class Hdf5Contents:
    """What was read of one file.

    Attributes
    ----------
    arrays
        Values by dataset, of those that were asked for and are there.
    attributes
        Numbers, text, None or lists of them by name, by dataset; under "" those of the file.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    attributes: Mapping[str, Mapping[str, Any]]


def read_hdf5(path: str | Path, datasets: Mapping[str, npt.DTypeLike], expected: str) -> Hdf5Contents:
    """Read whole datasets of numbers, and all attributes of them and of the file.

    Parameters
    ----------
    path
        The file.
    datasets
        Names at the root of the file, each with the dtype to read it as; None = as stored.
    expected
        What the file should be, in words that follow "expected".

    Raises
    ------
    ImportedFileError
        If there is no such file, or it is no HDF5 file, is damaged, holds anything but numbers there or values in
        other files, or takes more time or memory than files of its size can need.
    """
    file = Path(path)
    if not file.is_file():
        raise unlike(path, expected, "there is no such file", "Give the path of one")
    size = file.stat().st_size
    request = {
        "path": str(file.absolute()),
        "datasets": {name: None if dtype is None else np.dtype(dtype).str for name, dtype in datasets.items()},
        "seconds": PROCESSOR_SECONDS + size / PROCESSOR_BYTES_PER_SECOND,
        "most_bytes": max(LEAST_BYTES, MOST_EXPANSION * size),
    }
    reply, memory = _ask(request, WALL_SECONDS + size / WALL_BYTES_PER_SECOND)
    if "fault" in reply:
        raise unlike(path, expected, reply["fault"])
    return Hdf5Contents({name: _array(memory, *place) for name, place in reply["arrays"].items()}, reply["attributes"])


def unlike(
    path: str | Path, expected: str, fault: str, remedy: str = "Copy it again, or make it anew"
) -> ImportedFileError:
    """The error of a file that is not what was ``expected``."""
    return ImportedFileError(f"{path}: expected {expected}; {fault}. {remedy}.")


def _array(memory: mmap.mmap | None, dtype: str, shape: list[int], first: int) -> npt.NDArray[Any]:
    # Without a value nothing is handed over.
    return np.empty(shape, dtype) if memory is None else np.ndarray(shape, dtype, memory, first)


@dataclass
class _Reader:
    """A running process, of the process that started it, and the socket to it."""

    owner: int = field(default_factory=os.getpid)

    def __post_init__(self) -> None:
        self.connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # -P: no module beside the program goes before an installed one.  Threads of a BLAS would take address space.
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(Path(hdf5_process.__file__)), str(theirs.fileno())],
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()

    def is_alive(self) -> bool:
        """Whether it can be asked; a forked process must not speak through the socket of the one it came from."""
        return self.owner == os.getpid() and self.process.poll() is None

    def ask(self, request: Mapping[str, Any], wall_seconds: float) -> tuple[dict[str, Any], mmap.mmap | None]:
        """Its reply, in which ``fault`` tells what stopped it, and the memory with the values, if there are any."""
        self.connection.settimeout(wall_seconds)
        try:
            self.connection.send(json.dumps(request).encode())
            message, handed, _, _ = socket.recv_fds(self.connection, hdf5_process.MESSAGE_BYTES, 1)
        except TimeoutError:
            self.close()
            return {"fault": f"it took more than {wall_seconds:.0f} s to read"}, None
        reply: dict[str, Any] = json.loads(message) if message else {"died": self.process.wait()}
        if "died" in reply:
            reply["fault"] = _ending(reply["died"], request["seconds"])
        return reply, _mapped(handed, reply)

    def close(self) -> None:
        """End the process, and that of the file it is at."""
        self.connection.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _ending(code: int, seconds: float) -> str:
    """How the process of a file ended, in words."""
    if code == -signal.SIGPROF:
        return f"reading it takes more than {seconds:.1f} s of processor time; it is damaged"
    if code < 0:
        return f"reading it crashes the HDF5 library ({signal.Signals(-code).name}); it is damaged"
    return f"the process that read it ended with code {code}"


def _mapped(handed: list[int], reply: Mapping[str, Any]) -> mmap.mmap | None:
    if not handed:
        return None
    try:
        return mmap.mmap(handed[0], reply["bytes"])
    finally:
        os.close(handed[0])


_running: list[_Reader] = []
"""The process that waits for the next file, if there is one."""

_lock = threading.Lock()


def _ask(request: Mapping[str, Any], wall_seconds: float) -> tuple[dict[str, Any], mmap.mmap | None]:
    with _lock:
        if not _running or not _running[0].is_alive():
            _running[:] = [_Reader()]
        return _running[0].ask(request, wall_seconds)


def _stop() -> None:
    while _running:
        reader = _running.pop()
        if reader.owner == os.getpid():
            reader.close()


atexit.register(_stop)
