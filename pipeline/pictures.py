"""What all pictures share: the length of a scale bar, the lightness of a colour and the colour of a type of cell."""

import colorsys
import hashlib
import math

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luma (ITU-R BT.601)."""

LENGTH_GUARD = 1e-9
"""Guard: relative excess at which a round length still fits, so that rounding does not decide."""


def round_length_um(longest_um: float) -> float:
    """Length of a scale bar: the largest of 1, 2 or 5 times a power of ten that is at most ``longest_um``."""
    decade = 10.0 ** math.floor(math.log10(longest_um))
    return max(step * decade for step in (1.0, 2.0, 5.0) if step * decade <= longest_um * (1 + LENGTH_GUARD))


def type_colour(name: str) -> tuple[int, int, int]:
    """RGB colour, 0 to 255, of a type of cell: that of its name, so that it is the same on every slide."""
    hue = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.8, 0.85))
    return red, green, blue
