"""Checks of parameters, so that every room refuses a value in the same words."""

import math
from collections.abc import Collection
from typing import Any

from pipeline.errors import ConfigError


def check_number(
    key: str,
    value: Any,
    low: float,
    high: float,
    *,
    open_low: bool = False,
    open_high: bool = False,
    whole: bool = False,
) -> None:
    """Check a number of the configuration.

    Parameters
    ----------
    key
        ``section.key`` as the user writes it.
    low, high
        Smallest and largest value; allowed unless ``open_low`` or ``open_high``.
    whole
        Whether only whole numbers are allowed.

    Raises
    ------
    ConfigError
        If ``value`` is not such a number.
    """
    kind = "a whole number" if whole else "a number"
    interval = f"{kind} in {'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"
    is_number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise ConfigError(f"{key}: expected {interval}, found {value!r}.")
    above = value > low if open_low else value >= low
    below = value < high if open_high else value <= high
    if not (above and below):
        raise ConfigError(f"{key}: expected {interval}, found {value!r}.")


def check_choice(key: str, value: Any, allowed: Collection[str]) -> None:
    """Check that ``value`` is one of the ``allowed`` words.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if value not in allowed:
        raise ConfigError(f"{key}: expected one of {', '.join(allowed)}, found {value!r}.")
