from pipeline.report.contents.glossary import GLOSSARY
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.page.page_elements import Definitions
from pipeline.report.page.section_words import words
from tests.report.page_reading import frame, tables


def test_words_and_columns_are_explained(standard: ReportContents) -> None:
    section = words(standard)
    (definitions,) = (block for block in section.blocks if isinstance(block, Definitions))
    assert definitions.terms == GLOSSARY
    rows = frame(tables(section)[0])
    splits = rows[rows["file"] == "training/run/splits.csv"]
    assert splits["column"].tolist() == ["slide_id", "case_id", "label", "seed", "fold", "role"]
    assert not rows["file"].str.contains("{run}", regex=False).any()
