"""What a page is made of; the template knows how each kind of block looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from markupsafe import Markup

from pipeline.report.contents.glossary import explained
from pipeline.report.contents.next_steps import Step
from pipeline.report.figures.figure_style import Figure


@dataclass(frozen=True)
class Text:
    """A paragraph; ``Markup`` may hold a link, plain text is escaped."""

    text: str | Markup
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Card:
    """One number with what it counts; ``note`` says what it means."""

    value: str
    label: str
    note: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Cards:
    """Numbers at a glance."""

    cards: Sequence[Card]
    kind: ClassVar[str] = "cards"


@dataclass(frozen=True)
class Caution:
    """Something that limits what the numbers mean, and what can be done about it; ``items`` are listed below it."""

    headline: str
    text: str
    items: Sequence[str] = ()


@dataclass(frozen=True)
class Cautions:
    """All cautions of a run."""

    cautions: Sequence[Caution]
    kind: ClassVar[str] = "cautions"


@dataclass(frozen=True)
class Verdict:
    """What a run says: one sentence and what it rests on, then warnings and what to do next.

    Attributes
    ----------
    finding
        ``better``, ``worse``, ``no difference shown`` or ``alone``.
    called, any_wrong
        How many slides are called wrong; leads to them, where there are any.
    warnings
        Headlines of the cautions.
    """

    finding: str
    headline: str
    sentences: Sequence[str]
    called: str
    any_wrong: bool
    warnings: Sequence[str]
    steps: Sequence[Step]
    kind: ClassVar[str] = "verdict"


@dataclass(frozen=True)
class Column:
    """Column of a table; ``numeric`` ones stand right and sort by number."""

    title: str
    numeric: bool = False

    @property
    def meaning(self) -> str:
        """What the glossary says of it; "" of a plain word."""
        return explained(self.title)


def text_columns(*titles: str) -> list[Column]:
    """Columns of text, in order."""
    return [Column(title) for title in titles]


def number_columns(*titles: str) -> list[Column]:
    """Columns of numbers, in order."""
    return [Column(title, numeric=True) for title in titles]


@dataclass(frozen=True)
class Toggle:
    """A box to tick that leaves some rows of a table.

    Attributes
    ----------
    anchor
        A link to it ticks it.
    rows
        Positions of the rows that stay.
    """

    anchor: str
    label: str
    rows: frozenset[int]


ROWS_AT_A_GLANCE = 12
"""A table of more rows offers a filter."""


@dataclass(frozen=True)
class Table:
    """A table with its caption.

    Attributes
    ----------
    rows
        Cells as text; one tuple a row, as long as ``columns``. ``Markup`` may hold a link, plain text is escaped.
    marked
        Positions of rows to set off.
    toggle
        Rows to be left alone at a click.
    searchable
        Whether the page offers a filter; None offers it for tables of many rows.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    caption: str
    marked: frozenset[int] = frozenset()
    toggle: Toggle | None = None
    searchable: bool | None = None
    kind: ClassVar[str] = "table"

    @property
    def has_filter(self) -> bool:
        """Whether the page offers a filter."""
        return len(self.rows) > ROWS_AT_A_GLANCE if self.searchable is None else self.searchable


@dataclass(frozen=True)
class Gallery:
    """Figures side by side, as many a row as fit.

    Attributes
    ----------
    size
        Least width of a figure: ``small``, ``medium``, ``large`` or the ``whole`` row;
        a ``legend`` stands beside its note.
    note
        Said once for all figures.
    """

    figures: Sequence[Figure]
    size: Literal["small", "medium", "large", "whole", "legend"]
    note: str = ""
    kind: ClassVar[str] = "gallery"


@dataclass(frozen=True)
class Details:
    """Preformatted text behind a summary line."""

    summary: str
    code: str
    kind: ClassVar[str] = "details"


@dataclass(frozen=True)
class FoldedTable:
    """A table behind a summary line."""

    summary: str
    table: Table
    kind: ClassVar[str] = "folded_table"


@dataclass(frozen=True)
class Definitions:
    """Terms and what they mean."""

    terms: Mapping[str, str]
    kind: ClassVar[str] = "definitions"


Block = Text | Verdict | Cards | Cautions | Table | Gallery | Details | FoldedTable | Definitions


@dataclass(frozen=True)
class Section:
    """Part of a page with its own place in the navigation."""

    anchor: str
    title: str
    blocks: Sequence[Block]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Figures of all its galleries."""
        return tuple(figure for block in self.blocks if isinstance(block, Gallery) for figure in block.figures)
