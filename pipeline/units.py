"""Units as types, and the only conversions between them.

Coordinate legend, used by every module:

``_l0``
    (x, y) in level-0 pixels of the slide, origin at its top-left corner, y down.
``_um``
    (x, y) in micrometres, the same origin and axes: ``x_um = x_l0 * slide_mpp``.
``_px``
    (x, y) in pixels at the working resolution ``mpp``; origin named by the function.

Tables hold (x, y); image arrays are (row, col) and half-open.
"""

from typing import NewType

Mpp = NewType("Mpp", float)
"""Micrometres per pixel."""

Micrometres = NewType("Micrometres", float)
"""A length in micrometres."""


def um_from_px(length_px: float, mpp: float) -> Micrometres:
    """Length in micrometres of ``length_px`` pixels at ``mpp`` um/px."""
    return Micrometres(length_px * mpp)


def px_from_um(length_um: float, mpp: float) -> float:
    """Length in pixels at ``mpp`` um/px of ``length_um`` micrometres."""
    return length_um / mpp


def l0_from_px(length_px: float, mpp: float, slide_mpp: float) -> float:
    """Length in level-0 pixels (``slide_mpp`` um/px) of ``length_px`` pixels at ``mpp`` um/px."""
    return length_px * mpp / slide_mpp
