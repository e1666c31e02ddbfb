"""Compiled loops: machine code where arrays cannot say it, kept on disk after the first call.

Machine code on disk is made anew when the file of its function changes, and only then.  So a compiled function calls
compiled functions of its own file alone; an edit of another file would leave the old code in it.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile ``function`` at its first call; it then runs free of the interpreter's lock.

    Operations run in the order in which they are written, so results have the same bits.
    """
    machine_code: Function
    try:
        machine_code = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        # Neither the package's folder nor a user's cache can be written: compile in every process.
        machine_code = numba.njit(nogil=True)(function)
    return machine_code
