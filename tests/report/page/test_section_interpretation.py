from collections.abc import Callable

import pandas as pd

from pipeline.artefacts.interpretation import TABLES, Interpretation, write_interpretation
from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.page_elements import FoldedTable, Table
from pipeline.report.page.section_interpretation import interpretation
from pipeline.report.params import ReportParams
from tests.report.page_reading import captions, texts


def tables() -> dict[str, pd.DataFrame]:
    orders = ("evidence", "weight", "random")
    areas = [("patches", d, o, 5, 0.5, 0.1, -0.2, -0.3, -0.1) for d in ("deletion", "insertion") for o in orders]
    curves = [("patches", d, o, f, 0.5, 0.1) for d in ("deletion", "insertion") for o in orders for f in (0.0, 1.0)]
    rows = {
        "faithfulness": areas,
        "curves": curves,
        "stability": [],
        "graph_metrics": [("s", "p", "a", "a")],
        "graph_tests": [("graph", "density", 9, 7.0, 0.001, 0.02, 0.4), ("excess", "density", 9, 0.1, 0.8, 0.9, 0.01)],
        "graph_pairs": [],
        "motifs": [("a", 0, 0, 2.0, 1.0, 1.0, 3.0, 0.01, 0.02), ("b", 0, 0, 1.0, 1.0, 0.0, 0.0, 0.9, 0.9)],
    }
    frames = {name: pd.DataFrame(rows[name], columns=list(columns)) for name, columns in TABLES.items()}
    frames["graph_tests"] = frames["graph_tests"].assign(median_a=0.1, median_b=0.2)
    return frames


def explained(sources: ReportSources, slide_id: str) -> ReportContents:
    kind = {"features": [("density", 2.0)], "examples": [[slide_id, 0]], "share": {"a": 0.75, "b": 0.5}}
    summary = {
        "method": "default",
        "graph_path_on": [1, 2],
        "stability": {"folds": {"correlation": 0.31, "jaccard": 0.4, "chance": 0.3, "n_pairs": 7}},
        "readable": False,
        "reading": "Do not read this graph: weights differ.",
        "verdict": "Do not read this graph: weights differ.",
        "kinds": [kind],
    }
    write_interpretation(sources.training / "default/interpretation", Interpretation(tables(), summary), {})
    return read_contents(sources, ReportParams())


def test_the_verdict_stands_first_and_says_where_the_graph_is_not_used(build: Callable[..., ReportSources]) -> None:
    sources = build()
    section = interpretation(explained(sources, sources.slides[0].slide_id))
    first = texts(section)
    assert first.startswith("default: Do not read this graph: weights differ.")
    assert "in 1 of 2 trainings: elsewhere no edge has evidence" in first
    assert list(captions(section)) == ["faithfulness_default", "motifs_default", "kinds_default"]
    shown = {block.summary: block.table for block in section.blocks if isinstance(block, FoldedTable)}
    assert "Graphs by class: 1 of 2 tests below q = 0.05" in shown
    assert shown["Graphs by class: 1 of 2 tests below q = 0.05"].rows[0][:4] == ("density", "as it is", "0.1", "0.2")
    (stability,) = (block for block in section.blocks if isinstance(block, Table))
    assert stability.rows == [("trainings of two folds", "7", "0.31", "0.40", "0.30")]


def test_a_run_that_explained_nothing_says_how(standard: ReportContents) -> None:
    assert "explain.methods" in texts(interpretation(standard))
