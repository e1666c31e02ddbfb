"""Numbers as people write them by hand: plain digits, a point, perhaps an exponent.

Python reads more than these (``nan``, ``inf``, ``1_0``, digits of other scripts), which in a
sheet are slips: none is taken for a number here.
"""

import re

MOST_CHARACTERS = 40
"""Guard: a longer text is no number that anybody wrote."""

DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
WHOLE = re.compile(r"[+-]?[0-9]+")

UNIT = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?)\s*(?:[uµμ]|mi|mpp|px|x$)")

UNKNOWN = frozenset({"nan", "na", "n/a", "none", "null", "-", "?", "unknown", "missing"})


def plain_number(text: str, *, is_whole: bool = False) -> float | int:
    """The number that ``text`` is.

    Raises
    ------
    ValueError
        If it is none; says what to write.
    """
    pattern = WHOLE if is_whole else DECIMAL
    if len(text) > MOST_CHARACTERS or pattern.fullmatch(text) is None:
        raise ValueError(_remedy(text, is_whole))
    return int(text) if is_whole else float(text)


def _remedy(text: str, is_whole: bool) -> str:
    if text.strip().lower() in UNKNOWN:
        return "leave it empty where it is not known"
    if re.fullmatch(r"[+-]?[0-9]*,[0-9]+", text):
        return f"write a decimal point: {text.replace(',', '.')}"
    if with_unit := UNIT.match(text.lower()):
        return f"write the number alone, without a unit: {with_unit[1]}"
    return f"write it in plain digits, such as {'3' if is_whole else '0.25'}"
