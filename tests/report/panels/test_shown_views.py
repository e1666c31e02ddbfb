from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.artefacts.learned_graphs import LearnedGraph, write_learned_graphs
from pipeline.errors import ArtefactError
from pipeline.report.panels.panel_subjects import ModelView
from pipeline.report.panels.shown_views import shown_view
from tests.report.slide_tables import MADE


@pytest.fixture
def view(tmp_path: Path) -> ModelView:
    """A model whose graph joins patches 0 and 5."""
    graph = LearnedGraph(np.array([[0, 5], [5, 0]]), np.array([0.5, 0.3], np.float32), np.ones(2, bool))
    write_learned_graphs(tmp_path / "graphs.zarr", [("s", graph)], MADE)
    return ModelView("default", 0, 1, "a", {"a": 0.75, "b": 0.25}, tmp_path / "graphs.zarr", None)


def test_a_view_shows_its_most_joined_patches_where_there_is_no_evidence(view: ModelView) -> None:
    shown = shown_view(view, "s", 6)
    assert shown.gallery == [0, 5]
    assert shown.ends == [0, 5]
    told = shown.plain()
    assert (told["method"], told["fold"], told["evidence"], told["probabilities"]["b"]) == ("default", 1, None, 0.25)


def test_a_graph_of_other_patches_is_refused(view: ModelView) -> None:
    with pytest.raises(ArtefactError, match=r"is of 6 patches or more, but the slide's features hold 5"):
        shown_view(view, "s", 5)


def test_a_graph_that_was_not_stored_is_none(view: ModelView, tmp_path: Path) -> None:
    shown = shown_view(replace(view, graphs=tmp_path / "none.zarr"), "s", 6)
    assert (shown.graph, shown.gallery, shown.ends) == (None, [], [])
