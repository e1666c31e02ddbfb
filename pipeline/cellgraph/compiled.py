"""Compiled loops: machine code where arrays cannot say it, kept on disk after the first call."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile ``function`` at its first call; same operations in the same order as written, so same bits."""
    machine_code: Function
    try:
        machine_code = numba.njit(cache=True)(function)
    except RuntimeError:
        # Neither the package's folder nor a user's cache can be written: compile in every process.
        machine_code = numba.njit()(function)
    return machine_code
