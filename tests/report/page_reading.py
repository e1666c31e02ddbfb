"""Reading what a section says, and the page that it stands on."""

from html.parser import HTMLParser

import pandas as pd

from pipeline.report.page.page_elements import Cards, FoldedTable, Gallery, Section, Table, Text


class Page(HTMLParser):
    """Elements of a page: (tag, attributes), and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def tables(section: Section) -> list[Table]:
    """Its tables, folded ones as well."""
    shown = [block.table if isinstance(block, FoldedTable) else block for block in section.blocks]
    return [block for block in shown if isinstance(block, Table)]


def frame(table: Table) -> pd.DataFrame:
    """A table by the titles of its columns."""
    return pd.DataFrame(list(table.rows), columns=[column.title for column in table.columns])


def texts(section: Section) -> str:
    """Its paragraphs and the notes of its galleries."""
    paragraphs = [str(block.text) for block in section.blocks if isinstance(block, Text)]
    return " ".join(paragraphs + [block.note for block in section.blocks if isinstance(block, Gallery) and block.note])


def cards(section: Section) -> dict[str, tuple[str, str]]:
    """Value and note of its cards, by what they count."""
    return {
        card.label: (card.value, card.note)
        for block in section.blocks
        if isinstance(block, Cards)
        for card in block.cards
    }


def captions(section: Section) -> dict[str, str]:
    """Captions of its figures by name."""
    return {figure.name: figure.caption for figure in section.figures}
