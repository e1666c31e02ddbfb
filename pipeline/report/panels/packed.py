"""Numbers as a page carries them: little-endian bytes in base64, and values as whole numbers of few bytes."""

import base64
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Float64s

Packing = Literal["u1", "i1", "u2", "i2", "u4"]
"""Signed or unsigned whole numbers of so many bytes."""

Packed = dict[str, str]
"""``type``, see ``Packing``, and ``data``, which the page's ``unpack`` reads."""

UNDEFINED = -128
"""Signed byte of a value that is not known."""


def packed(values: npt.ArrayLike, packing: Packing) -> Packed:
    """Whole numbers in row-major order.

    Raises
    ------
    OverflowError
        If a value does not fit.
    """
    whole = np.asarray(values)
    limits = np.iinfo(packing)
    if whole.size and (whole.min() < limits.min or whole.max() > limits.max):
        raise OverflowError(f"expected values from {limits.min} to {limits.max}, found {whole.min()} to {whole.max()}")
    return {"type": packing, "data": base64.b64encode(whole.astype(f"<{packing}").tobytes()).decode()}


def packed_places(indices: npt.ArrayLike) -> Packed:
    """Positions from 0, in two bytes where they fit."""
    whole = np.asarray(indices, np.int64)
    return packed(whole, "u2" if whole.max(initial=0) <= np.iinfo("u2").max else "u4")


def packed_shares(shares: npt.ArrayLike) -> Packed:
    """Numbers from 0 to 1, to 1/65535; what lies beyond is clipped."""
    return packed(np.rint(np.clip(np.asarray(shares, np.float64), 0.0, 1.0) * np.iinfo("u2").max), "u2")


def packed_scaled(values: Float64s) -> dict[str, Any]:
    """Signed numbers as bytes of ``scale`` each, ``UNDEFINED`` where NaN: what a colour or a length of a bar shows."""
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    scale = largest / np.iinfo("i1").max if largest else 1.0
    steps = np.where(np.isfinite(values), np.rint(values / scale), UNDEFINED)
    return {"scale": scale, **packed(steps, "i1")}
