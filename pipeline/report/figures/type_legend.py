"""Colours of types of cells, and their legend."""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch

from pipeline.report.figures.figure_style import CATEGORICAL, colours_of, house_style, single_plot
from pipeline.report.figures.nuclei_closeup import OTHER_TYPE

MOST_TYPES = len(CATEGORICAL) - 1
"""Types with a colour of their own; the palette's last is that of all others."""


@dataclass(frozen=True)
class TypeColours:
    """Colours of types.

    Attributes
    ----------
    by_type
        Colour of each type that has one.
    has_others
        Whether there are nuclei without such a type.
    """

    by_type: Mapping[str, str]
    has_others: bool


def type_colours(n_nuclei: Mapping[str | None, int]) -> TypeColours | None:
    """Colours of the most frequent types of ``n_nuclei``, in alphabetic order; None where no nucleus has a type."""
    named = {name: count for name, count in n_nuclei.items() if name is not None}
    if not named:
        return None
    frequent = sorted(sorted(named), key=lambda name: -named[name])[:MOST_TYPES]
    return TypeColours(colours_of(sorted(frequent)), len(frequent) < sum(count > 0 for count in n_nuclei.values()))


@house_style()
def type_legend(colours: TypeColours) -> Canvas:
    """The types and their colours."""
    entries = {**colours.by_type, **({"other or unknown": OTHER_TYPE} if colours.has_others else {})}
    drawn, axes = single_plot(2.4, 0.25 + 0.2 * len(entries))
    axes.axis("off")
    axes.legend(handles=[Patch(color=colour, label=name) for name, colour in entries.items()], loc="center")
    return drawn
