"""Units of coordinates, and what converts between them.

Coordinate legend, used by every module:

``_l0``
    (x, y) in level-0 pixels of the slide, origin at its top-left corner, y down.
``_um``
    (x, y) in micrometres, the same origin and axes: ``x_um = x_l0 * slide_mpp``.
``_px``
    (x, y) in pixels at the working resolution ``mpp``; origin named by the function.

Tables hold (x, y); image arrays are (row, col) and half-open.
"""


def l0_from_px(length_px: float, mpp: float, slide_mpp: float) -> float:
    """Length in level-0 pixels (``slide_mpp`` um/px) of ``length_px`` pixels at ``mpp`` um/px."""
    return length_px * mpp / slide_mpp
