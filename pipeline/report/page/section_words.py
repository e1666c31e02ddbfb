"""What the words of the report and the columns of its files mean."""

from pipeline.report.contents.data_dictionary import TABLES
from pipeline.report.contents.glossary import GLOSSARY
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.page.page_elements import Definitions, FoldedTable, Section, Table, text_columns


def words(contents: ReportContents) -> Section:
    """Glossary, and the dictionary of every CSV file."""
    rows = [(file, column, meaning) for file, columns in TABLES.items() for column, meaning in columns.items()]
    run = contents.sources.run
    dictionary = Table(
        text_columns("file", "column", "meaning"),
        [(file.replace("{run}", run), column, meaning) for file, column, meaning in rows],
        "Columns of every CSV file below the results folder. Words in angle brackets stand for each metric or class.",
        searchable=True,
    )
    return Section(
        "words", "Words & files", [Definitions(GLOSSARY), FoldedTable("Columns of every CSV file", dictionary)]
    )
