import pytest

from pipeline.artefacts.metric_names import METRICS
from pipeline.artefacts.metrics import COMPARISON_COLUMNS, DIFFERENCE_COLUMNS
from pipeline.artefacts.pooled_predictions import POOLED_COLUMNS
from pipeline.artefacts.predictions import COLUMNS, HISTORY_COLUMNS
from pipeline.artefacts.splits import COLUMNS as SPLIT_COLUMNS
from pipeline.artefacts.splits import EXCLUDED_COLUMNS
from pipeline.report.contents.data_dictionary import TABLES
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.figures.figure_style import figure_files
from pipeline.report.write_report import build_sections


def told(ending: str) -> list[str]:
    """Columns of the file whose path ends so, each ``<metric>`` in all its metrics."""
    (columns,) = (columns for path, columns in TABLES.items() if path.endswith(ending))
    return [
        name.replace("<metric>", metric) for name in columns for metric in (METRICS if "<metric>" in name else ("",))
    ]


@pytest.mark.parametrize(
    ("ending", "columns"),
    [
        ("splits.csv", SPLIT_COLUMNS),
        ("excluded.csv", EXCLUDED_COLUMNS),
        ("{method}/predictions.csv", POOLED_COLUMNS),
        ("predictions/{run}.csv", COLUMNS),
        ("history.csv", HISTORY_COLUMNS),
        ("comparison.csv", {**COMPARISON_COLUMNS, "status": "str", **DIFFERENCE_COLUMNS}),
    ],
)
def test_every_column_of_a_file_is_explained_and_no_other(ending: str, columns: dict[str, str]) -> None:
    assert set(told(ending)) - {"p_<class>"} == set(columns)


def test_every_figure_with_a_table_is_explained(standard: ReportContents) -> None:
    for figure in (figure for section in build_sections(standard) for figure in section.figures):
        if figure.source is None:
            continue
        name = figure.name.removesuffix("_default").removesuffix("_mean_pool")
        (columns,) = (columns for path, columns in TABLES.items() if f"/figures/{name}" in path)
        plain = {column for column in columns if not set(column) & set("<(")}
        assert plain <= set(figure.source.columns), figure.name
        assert len(plain) < len(columns) or plain == set(figure.source.columns), figure.name
        assert f"{figure.name}.csv" in figure_files(figure)
