from pipeline.artefacts.metric_names import METRICS
from pipeline.report.contents.glossary import COLUMN_TERMS, GLOSSARY, explained
from pipeline.report.contents.wording import title
from pipeline.report.page.section_training import SERIES


def test_metrics_tests_and_series_are_explained() -> None:
    for term in (
        *map(title, METRICS),
        "Holm",
        "SD",
        "interval",
        "seed",
        "fold",
        "sign-flip test",
        "graph path",
        *SERIES,
    ):
        assert term in GLOSSARY, term


def test_columns_of_other_names_lead_to_their_terms() -> None:
    assert set(COLUMN_TERMS.values()) <= set(GLOSSARY)
    assert explained("p (Holm)") == GLOSSARY["Holm"]
    assert explained("ECE").startswith("Expected calibration error")
    assert explained("slide") == ""


def test_terms_stand_in_the_order_of_the_alphabet() -> None:
    assert list(GLOSSARY) == sorted(GLOSSARY, key=str.lower)


def test_definitions_are_sentences() -> None:
    assert all(meaning.endswith(".") for meaning in GLOSSARY.values())
