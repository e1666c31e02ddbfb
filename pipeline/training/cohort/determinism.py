"""The same seed and inputs, the same bits: threads, deterministic kernels, and what single precision means."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pipeline.errors import DeviceError

CUBLAS_WORKSPACE = ":4096:8"
"""Workspace with which cuBLAS is deterministic (NVIDIA, cuBLAS documentation)."""


MEMORY: Any = torch.utils.deterministic
"""Holds the switch ``fill_uninitialized_memory``, of which type checkers do not know."""


def check_precision(precision: str, device: torch.device) -> None:
    """Check that a device computes in ``precision``.

    Raises
    ------
    DeviceError
        If bfloat16 is asked for without CUDA.
    """
    if precision == "bfloat16" and device.type != "cuda":
        raise DeviceError(
            f"training.precision: bfloat16 needs a CUDA device, found {device.type}; "
            "set precision to float32 or device to cuda."
        )


@contextmanager
def deterministic_torch(seed: int, threads: int, device: torch.device, *, tf32: bool = False) -> Iterator[None]:
    """Run a block with torch seeded, ``threads`` intra-op threads and deterministic kernels.

    Random state, threads and the choice of kernels are put back afterwards.

    Parameters
    ----------
    tf32
        Whether a card may multiply in TF32, which rounds what it multiplies to 10 bits of
        fraction (single precision has 23); torch's own default is to do so in convolutions only.
    """
    previous_threads = torch.get_num_threads()
    previous_kernels = torch.get_deterministic_debug_mode()
    previous_filling = MEMORY.fill_uninitialized_memory
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)
    try:
        torch.set_num_threads(threads)
        # As ``use_deterministic_algorithms``, which imports torch's compiler besides.
        torch.set_deterministic_debug_mode("error")
        # Nothing here reads memory that it has not written, and filling it costs a call an allocation.
        MEMORY.fill_uninitialized_memory = False
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), _products_in(tf32=tf32):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(previous_threads)
        torch.set_deterministic_debug_mode(previous_kernels)
        MEMORY.fill_uninitialized_memory = previous_filling


@contextmanager
def _products_in(*, tf32: bool) -> Iterator[None]:
    """Products of matrices and convolutions in TF32 or not, for the length of a block.

    These are torch's older switches: it keeps its newer ones (``fp32_precision``) in step with
    them, and refuses to tell the older ones once a newer one was set.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    previous = matmul.allow_tf32, cudnn.allow_tf32
    try:
        matmul.allow_tf32 = cudnn.allow_tf32 = tf32
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = previous
