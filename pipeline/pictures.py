"""What all pictures share: the length of a scale bar and the lightness of a colour."""

import math

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luma (ITU-R BT.601)."""

LENGTH_GUARD = 1e-9
"""Guard: relative excess at which a round length still fits, so that rounding does not decide."""


def round_length_um(longest_um: float) -> float:
    """Length of a scale bar: the largest of 1, 2 or 5 times a power of ten that is at most ``longest_um``."""
    decade = 10.0 ** math.floor(math.log10(longest_um))
    return max(step * decade for step in (1.0, 2.0, 5.0) if step * decade <= longest_um * (1 + LENGTH_GUARD))
