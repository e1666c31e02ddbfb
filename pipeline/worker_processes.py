"""Processes that share the work of a job."""

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context


@contextmanager
def worker_processes(n_processes: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of new processes, which import what they are handed and not the script that asks for them.

    A started process would run the main script again, and the script of a rule, which Snakemake hands its names, would
    fail there.
    """
    main = vars(sys.modules["__main__"])
    script = main.pop("__file__", None)
    try:
        with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool:
            yield pool
    finally:
        if script is not None:
            main["__file__"] = script
