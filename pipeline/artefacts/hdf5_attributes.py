"""Numbers and names among the attributes of HDF5 files that other tools made."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import ImportedFileError

UNSET = frozenset({"", "none", "nan", "null", "na", "n/a"})
"""Text that stands for nothing, in any case; Python writes the first of them for an option that was not given."""

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")

X_AND_Y_AGREE = 0.01
"""What is given for x and for y may differ by this share: levels of a pyramid are rounded to whole pixels.  Ours."""


def number_of(attributes: Mapping[str, Any], name: str, path: str | Path) -> float | None:
    """An attribute as a finite number, the mean where it is given for x and y.

    None where it is absent or stands for nothing (``None``, NaN, empty, or such text); a number in text is that number.

    Raises
    ------
    ImportedFileError
        If it is anything else, infinite, or differs between x and y.
    """
    stored = attributes.get(name)
    values = stored if isinstance(stored, list) else [stored]
    numbers = [_number(value) for value in values]
    if all(number is None for number in numbers):
        return None
    known = [number for number in numbers if number is not None]
    agree = len(known) == len(numbers) <= 2 and max(known) - min(known) <= X_AND_Y_AGREE * abs(max(known))
    if not agree or not all(map(math.isfinite, known)):
        raise ImportedFileError(
            f"{path}: expected a number in attribute {name!r}, found {stored!r}. Write the number, or leave the "
            "attribute out."
        )
    return sum(known) / len(known)


def positive_number_of(attributes: Mapping[str, Any], name: str, path: str | Path) -> float | None:
    """As ``number_of``; None also where it is not above 0, by which some tools mean that they do not know."""
    number = number_of(attributes, name, path)
    return number if number is not None and number > 0 else None


def pixels_of(attributes: Mapping[str, Any], name: str, path: str | Path) -> int | None:
    """As ``positive_number_of``, whole.

    Raises
    ------
    ImportedFileError
        As ``number_of``, and if it is not whole.
    """
    number = positive_number_of(attributes, name, path)
    if number is not None and number % 1:
        raise ImportedFileError(
            f"{path}: expected whole pixels in attribute {name!r}, found {attributes[name]!r}. Write that number."
        )
    return None if number is None else int(number)


def _number(value: Any) -> float | None:
    """A value as a number, None where it stands for nothing, infinity where it is none."""
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in UNSET:
            return None
        return float(text) if NUMBER.fullmatch(text) else math.inf
    if value is None or value == []:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.inf
    return None if math.isnan(value) else float(value)


def text_of(attributes: Mapping[str, Any], name: str) -> str | None:
    """An attribute as text; None where it is absent, is none or stands for nothing."""
    stored = attributes.get(name)
    return stored.strip() if isinstance(stored, str) and stored.strip().lower() not in UNSET else None
