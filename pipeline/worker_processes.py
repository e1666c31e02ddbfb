"""Processes that share the work of a job."""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
"""What keeps libraries of a process to one thread."""


@contextmanager
def worker_processes(
    n_processes: int, begin: Callable[..., object] = tuple, *handed: Any
) -> Iterator[ProcessPoolExecutor]:
    """A pool of new processes of one thread each, which import what they are handed, not the script that asks for them.

    A started process would run the main script again, and the script of a rule, which Snakemake hands its names, would
    fail there.  A forked one would inherit OpenCV's threads without what runs in them, and wait for them for ever.

    Parameters
    ----------
    begin, handed
        What each process calls before its first task, and with what: sent once a process.
    """
    main = vars(sys.modules["__main__"])
    script = main.pop("__file__", None)
    before = dict(os.environ)
    os.environ.update(ONE_THREAD)
    try:
        with ProcessPoolExecutor(n_processes, get_context("spawn"), begin, handed) as pool:
            yield pool
    finally:
        os.environ.clear()
        os.environ.update(before)
        if script is not None:
            main["__file__"] = script
