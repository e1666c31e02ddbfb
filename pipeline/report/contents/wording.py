"""Numbers as the page writes them."""

import math

NONE = "–"
"""What stands where nothing was measured."""


def count(value: int | None) -> str:
    """Whole number with thousands separated."""
    return NONE if value is None else f"{value:,}"


def decimal(value: float | None, places: int = 3) -> str:
    """Number with ``places`` decimals; a dash when undefined."""
    return NONE if value is None or math.isnan(value) else f"{value:.{places}f}"


def mean_sd(mean: float | None, sd: float | None, places: int = 3) -> str:
    """``mean ± sd``; the mean alone when the SD is undefined."""
    if mean is None or math.isnan(mean) or sd is None or math.isnan(sd):
        return decimal(mean, places)
    return f"{mean:.{places}f} ± {sd:.{places}f}"


def interval(bounds: tuple[float, float] | None, places: int = 3) -> str:
    """``[low, high]``."""
    return NONE if bounds is None else f"[{bounds[0]:.{places}f}, {bounds[1]:.{places}f}]"


def probability(value: float | None) -> str:
    """A p value: three decimals, or ``< 0.001``."""
    return "< 0.001" if value is not None and value < 0.001 else decimal(value)


def plural(n: int, one: str, many: str | None = None) -> str:
    """``1 slide``, ``2 slides``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


SPELLED = {
    "auroc": "AUROC",
    "ece": "ECE",
    "brier": "Brier score",
    "macro_f1": "macro F1",
    "p_value": "p",
    "p_holm": "p (Holm)",
    "p_folds": "p over folds",
    "p_folds_holm": "p over folds (Holm)",
}
"""Names of columns that read otherwise than they are written."""


def title(name: str) -> str:
    """A column or metric name for reading; names of methods, classes and slides stay as they are."""
    metric = name.removesuffix("_minus_reference")
    if metric != name:
        return f"{title(metric)} minus reference"
    return SPELLED.get(name, name.replace("_", " "))


def listed(names: list[str], most: int = 8) -> str:
    """Names with commas; after ``most`` of them only the number of the rest."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
