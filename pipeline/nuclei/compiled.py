"""How loops over pixels are compiled."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """``function`` compiled at its first call, kept on disk, and free of the interpreter's lock."""
    return cast(Function, numba.njit(cache=True, nogil=True)(function))
